"""The folder of a run's sockets: private, short enough, and swept where its owner was killed."""

from __future__ import annotations

import os
import signal
import stat
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from stream.transport import private_folder


@pytest.fixture(autouse=True)
def _place(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path_factory.mktemp("t")))


OWNER = "import sys, tempfile; tempfile.tempdir = sys.argv[1]; from stream.transport import private_folder; " \
        "print(private_folder.make('dispatch'), flush=True); sys.stdin.read()"  # fmt: skip


def owner() -> tuple[subprocess.Popen[str], Path]:
    """Another process with a folder of its own."""
    command = [sys.executable, "-c", OWNER, tempfile.gettempdir()]
    process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    return process, Path(process.stdout.readline().strip())


def test_it_is_for_this_user_alone_and_goes_when_removed() -> None:
    folder = private_folder.make("dispatch")
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    private_folder.remove(folder)
    assert not folder.exists()


def test_the_folder_of_a_run_that_was_killed_is_swept_and_that_of_a_living_one_is_not() -> None:
    (killed, dead), (process, alive) = owner(), owner()
    os.kill(killed.pid, signal.SIGKILL)
    killed.communicate()
    mine = private_folder.make("dispatch")
    assert not dead.exists()
    assert alive.is_dir()
    assert mine.is_dir()
    process.communicate("")
    private_folder.remove(private_folder.make("dispatch"))
    assert not alive.exists()
    assert mine.is_dir()
    private_folder.remove(mine)


def test_what_only_looks_like_one_is_left_alone(tmp_path: Path) -> None:
    place = Path(tempfile.gettempdir())
    (place / "stream-notes").mkdir(mode=0o755)
    (place / "stream-mine").mkdir(mode=0o700)
    (place / "stream-mine" / "letter").write_text("dear")
    (place / "stream-file").write_text("")
    (place / "stream-link").symlink_to(tmp_path)
    private_folder.remove(private_folder.make("dispatch"))
    assert {path.name for path in place.iterdir()} == {"stream-notes", "stream-mine", "stream-file", "stream-link"}


def test_a_long_path_is_avoided_or_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    long = tmp_path / ("x" * 130)
    long.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(long))
    folder = private_folder.make("dispatch")
    assert len(os.fsencode(folder / "dispatch")) <= private_folder.MAX_PATH_BYTES
    private_folder.remove(folder)
    with pytest.raises(OSError, match="too long a path for sockets: set TMPDIR to a shorter one"):
        private_folder.make("d" * 130)
