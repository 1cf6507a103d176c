"""Only regular files are opened for others."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from clothseg.regular import open_regular


def test_a_file_is_opened(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"hello")
    (tmp_path / "link").symlink_to("a")
    for name in ("a", "link"):
        with open_regular(tmp_path / name) as file:
            assert file.read() == b"hello"


@pytest.mark.timeout(5)
def test_devices_pipes_and_folders_are_not_opened(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "link").symlink_to("/dev/zero")
    for path in (tmp_path / "pipe", tmp_path / "link", Path("/dev/zero"), tmp_path):
        with pytest.raises(OSError, match=r"expected a regular file"):
            open_regular(path)


def test_a_path_that_is_none_is_refused(tmp_path: Path) -> None:
    for path in (tmp_path / "missing", Path("a\0b"), tmp_path / ("a" * 300)):
        with pytest.raises(OSError, match=r"No such file|zero byte|too long"):
            open_regular(path)
