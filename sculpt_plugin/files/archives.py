"""The zip archives of `torch.save`: where each member lies, after checking them all."""

import struct
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass
from io import FileIO
from itertools import pairwise
from pathlib import Path

from sculpt_plugin.errors import LoadingError, UnsafeFileError
from sculpt_plugin.files.quoting import quoted, shown

# Room for the names of more than 100,000 tensors.
LONGEST_DIRECTORY = 16 * 2**20

LOCAL_HEADER = struct.Struct("<4s22x2H")


@dataclass(frozen=True)
class Span:
    """Where some bytes lie in a file."""

    start: int
    size: int


def members(path: Path) -> dict[str, Span]:
    """Find the members of an archive, named without the folder they all share.

    Readers of zip archives disagree on what to make of a crafted one, so whatever
    `torch.save` does not write is refused: compression, encryption, names that occur
    twice or lead elsewhere, members that overlap or lie outside the file.

    Args:
        path: A zip archive.

    Returns:
        The place of each member's content.

    Raises:
        LoadingError: The archive is damaged, or made by another program.

    Example:
        >>> import tempfile
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     path = Path(folder) / "model.pt"
        ...     with zipfile.ZipFile(path, "w") as file:
        ...         file.writestr("model/data.pkl", b"...")
        ...     members(path)
        {'data.pkl': Span(start=44, size=3)}
    """
    try:
        with _BoundedFile(path) as file, zipfile.ZipFile(file) as archive:
            entries = archive.infolist()
            _check(path, entries)
            spans = {entry.filename: _span(file, entry) for entry in entries}
    except LoadingError:
        raise
    except Exception as error:
        # A hostile directory can raise anything here, and all of it means this.
        raise LoadingError(
            f"{shown(path)} must be a whole zip archive, but is cut off or damaged "
            f"({type(error).__name__}). Save or download it again."
        ) from None
    _check_places(path, spans)
    return {name.partition("/")[2]: span for name, span in spans.items()}


def read_span(path: Path, span: Span) -> bytearray:
    """Read the bytes of a span, all of them.

    Example:
        >>> import tempfile
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     path = Path(folder) / "file"
        ...     _ = path.write_bytes(b"abcdef")
        ...     read_span(path, Span(start=2, size=3))
        bytearray(b'cde')
    """
    with path.open("rb") as file:
        if span.start + span.size > file.seek(0, 2):
            raise _cut_off(path)
        file.seek(span.start)
        content = bytearray(span.size)
        filled = file.readinto(content)
    if filled < span.size:
        raise _cut_off(path)
    return content


class _BoundedFile(FileIO):
    """A file of which no one reads more at once than a sane directory needs."""

    def read(self, size: int | None = -1, /) -> bytes:
        left = self._left()
        if min(left, left if size is None or size < 0 else size) > LONGEST_DIRECTORY:
            raise zipfile.BadZipFile("the directory is too long")
        return super().read(size if size is None else min(size, left))

    def _left(self) -> int:
        here = self.tell()
        end = self.seek(0, 2)
        self.seek(here)
        return max(0, end - here)


def _check(path: Path, entries: list[zipfile.ZipInfo]) -> None:
    """Refuse what torch.save does not write."""
    for entry in entries:
        if entry.flag_bits & 0x1:
            raise LoadingError(
                f"{shown(path)} must be readable without a password, but "
                f"{quoted(entry.filename)} in it is encrypted. Unpack it with the "
                f"password, and save the model again with torch.save."
            )
        squeezed = entry.compress_type != zipfile.ZIP_STORED
        if squeezed and entry.filename.partition("/")[2].startswith("code/"):
            raise UnsafeFileError(
                f"{shown(path)} must be data, but is a TorchScript archive, which is a "
                f"program; this is not supported, even with --unsafe-load. Save the "
                f"model's state dict from the program that made it."
            )
        if squeezed:
            raise LoadingError(
                f"{shown(path)} must hold its tensors uncompressed, as torch.save "
                f"writes them, but {quoted(entry.filename)} unpacks to "
                f"{entry.file_size} bytes. Save it again with torch.save."
            )
        parts = entry.filename.split("/")
        if ".." in parts or not parts[0] or "\\" in entry.filename:
            raise _other_archive(path, f"has a member {quoted(entry.filename)}")
    names = [entry.filename for entry in entries]
    if len(set(map(str.casefold, names))) < len(names):
        raise _other_archive(path, "has two members of one name")
    if len({name.partition("/")[0] for name in names}) > 1:
        raise _other_archive(path, "is another zip archive")


def _span(file: FileIO, entry: zipfile.ZipInfo) -> Span:
    """Find a member's content behind its own header."""
    file.seek(entry.header_offset)
    magic, name_length, extra_length = LOCAL_HEADER.unpack(file.read(LOCAL_HEADER.size))
    if magic != b"PK\x03\x04" or entry.compress_size != entry.file_size:
        raise zipfile.BadZipFile("a member's header is damaged")
    start = entry.header_offset + LOCAL_HEADER.size + name_length + extra_length
    return Span(start, entry.file_size)


def _check_places(path: Path, spans: Mapping[str, Span]) -> None:
    """Refuse members that share bytes or lie outside the file."""
    places = sorted((s.start, s.start + s.size) for s in spans.values())
    if any(end > start for (_, end), (start, _) in pairwise(places)):
        raise _other_archive(path, "has members that overlap")
    if places and places[-1][1] > path.stat().st_size:
        raise _cut_off(path)


def _other_archive(path: Path, found: str) -> LoadingError:
    return LoadingError(
        f"{shown(path)} must be an archive made by torch.save, but {found}. Save the "
        f"model's state dict with torch.save or safetensors."
    )


def _cut_off(path: Path) -> LoadingError:
    return LoadingError(
        f"{shown(path)} must be a whole file, but is cut off: what it says it holds "
        f"lies beyond its end. Save or download it again."
    )
