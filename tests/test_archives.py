"""Members of an archive, found where Python's own reader finds them."""

import zipfile
from pathlib import Path

import pytest
import torch
from model_files import network, save

from sculpt_plugin.errors import LoadingError
from sculpt_plugin.files.archives import Span, members, read_span


def test_members_hold_what_another_reader_finds(tmp_path: Path) -> None:
    path = save(network().state_dict(), tmp_path / "model.pt")
    found = members(path)
    with zipfile.ZipFile(path) as archive:
        for name in archive.namelist():
            inner = name.partition("/")[2]
            assert read_span(path, found.pop(inner)) == archive.read(name)
    assert not found


def test_archive_without_checksums_opens(tmp_path: Path) -> None:
    before = torch.serialization.get_crc32_options()
    torch.serialization.set_crc32_options(False)
    try:
        path = save(network().state_dict(), tmp_path / "model.pt")
    finally:
        torch.serialization.set_crc32_options(before)
    assert "data.pkl" in members(path)


def test_span_beyond_the_end_is_refused(tmp_path: Path) -> None:
    (tmp_path / "x").write_bytes(b"abc")
    with pytest.raises(LoadingError, match="is cut off"):
        read_span(tmp_path / "x", Span(2, 2))
