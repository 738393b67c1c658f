"""Whose a folder is: the settings in it must be those of the run that goes on."""

import json
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from sculpt_plugin import store
from sculpt_plugin.errors import CheckpointError

_OURS = "sculpt-"
"""How the `format` of all settings begins that any version of Sculpt wrote."""


@contextmanager
def claimed(
    folder: Path,
    name: str,
    settings: Mapping[str, object],
    *,
    reached: Collection[str],
    kind: str,
    later: Collection[str] = (),
) -> Iterator[bool]:
    """Take a folder for a run, or go on in its own, and keep it while the block runs.

    A second process is refused before it has written anything: else its settings would
    name what the first one reaches.

    Args:
        folder: The folder; it is made where it is not there.
        name: The file that holds the settings, with a key `format` among them
            that begins with `sculpt-`.
        settings: What must be the same for a run to go on.
        reached: Files or folders of which one is there as soon as the run has
            reached anything. Until then other settings simply take over.
        kind: What the folder is, for the message.
        later: Settings that earlier versions did not write down: a folder without one
            of them may go on.

    Yields:
        Whether an earlier run has reached something.

    Raises:
        CheckpointError: The folder is in use by another process or otherwise, another
            run's, damaged, or cannot be written.

    Example:
        >>> import tempfile
        >>> settings = {"format": "sculpt-run/1", "seed": 0}
        >>> with tempfile.TemporaryDirectory() as place, claimed(
        ...     Path(place), "run.json", settings, reached=["a"], kind="a run"
        ... ) as goes_on:
        ...     goes_on
        False
    """
    store.make_folder(folder)
    wanted = json.loads(json.dumps(settings))

    def look() -> tuple[dict[str, object] | None, bool]:
        return _look(folder, name, wanted, reached=reached, kind=kind, later=later)

    if not (folder / store.LOCK).exists():
        # A folder that is refused for what is in it gets no lock beside that.
        look()
    with store.locked(folder):
        found, goes_on = look()
        if not goes_on and found != wanted:
            content = (json.dumps(wanted, indent=1) + "\n").encode()
            store.write_bytes(folder / name, content)
        yield goes_on


def _look(
    folder: Path,
    name: str,
    wanted: Mapping[str, object],
    *,
    reached: Collection[str],
    kind: str,
    later: Collection[str],
) -> tuple[dict[str, object] | None, bool]:
    """Read the settings in a folder, and tell whether a run has reached something."""
    path = folder / name
    found = _read(path) if path.exists() else None
    if found is not None and not str(found.get("format")).startswith(_OURS):
        raise CheckpointError(
            f"{folder} must be empty or {kind}, but it holds a {name} of something "
            "else: choose another folder."
        )
    if any((folder / part).exists() for part in reached):
        _check_same(folder, wanted, found or {}, later)
        return found, True
    others = {p.name for p in folder.iterdir() if not p.name.startswith(store.PARTIAL)}
    foreign = others - {name, store.LOCK}
    if foreign:
        raise CheckpointError(
            f"{folder} must be empty or {kind}, but it holds {min(foreign)!r}: choose "
            "another folder."
        )
    return found, False


def _read(path: Path) -> dict[str, object]:
    """Read settings that were written whole."""
    try:
        found = json.loads(path.read_text())
        if not isinstance(found, dict):
            raise ValueError("no settings")
    except (OSError, ValueError, RecursionError) as error:
        raise CheckpointError(
            f"{path} is damaged ({path.name} cannot be read): restore it from a copy, "
            "or start again in another folder."
        ) from error
    return found


def _check_same(
    folder: Path,
    wanted: Mapping[str, object],
    found: Mapping[str, object],
    later: Collection[str],
) -> None:
    """Refuse to go on with a run that was started otherwise."""
    if found.get("format") != wanted.get("format"):
        raise CheckpointError(
            f"{folder} was written by another version of Sculpt: go on with that one, "
            "or start again in another folder."
        )
    for name in sorted({*found, *wanted}):
        if name in later and name not in found:
            continue
        if found.get(name) != wanted.get(name):
            raise CheckpointError(
                f"{folder} belongs to another run: there {name} is {found.get(name)}, "
                f"here it is {wanted.get(name)}. Use the same settings, or another "
                "folder (checkpoint= in Python, --out in the shell)."
            )
