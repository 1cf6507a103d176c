"""The folder of one run's sockets: for this user alone, and swept by the next run where its owner was killed."""

from __future__ import annotations

import contextlib
import fcntl
import os
import shutil
import stat
import tempfile
import time
from pathlib import Path

_PREFIX = "stream-"
_ALIVE = "alive"
_MIN_AGE_S = 60  # one without a lock may be about to get it
MAX_PATH_BYTES = 100
"""Of a socket: sun_path holds 104 to 108 bytes (unix(7))."""
_locks: dict[Path, int] = {}


def make(longest_file_name: str) -> Path:
    """A new folder of mode 0700, locked as long as this process lives; those of dead processes are removed first.

    It lies where temporary files do, or in /tmp where the path of a socket would be too long there; OSError where
    neither will do.
    """
    parents = [parent for parent in (tempfile.gettempdir(), "/tmp") if _fits(parent, longest_file_name)]
    if not parents:
        raise OSError(f"{tempfile.gettempdir()} is too long a path for sockets: set TMPDIR to a shorter one")
    for parent in parents:
        _sweep(Path(parent))
    folder = Path(tempfile.mkdtemp(prefix=_PREFIX, dir=parents[0]))
    lock = os.open(folder / _ALIVE, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600)
    fcntl.flock(lock, fcntl.LOCK_EX)
    _locks[folder] = lock
    return folder


def remove(folder: Path) -> None:
    """Remove a folder that `make` has made."""
    shutil.rmtree(folder, ignore_errors=True)
    if (lock := _locks.pop(folder, None)) is not None:
        os.close(lock)


def _fits(parent: str, name: str) -> bool:
    return os.path.isdir(parent) and len(os.fsencode(f"{parent}/{_PREFIX}xxxxxxxx/{name}")) <= MAX_PATH_BYTES


def _sweep(parent: Path) -> None:
    """Remove the folders of this user's runs that were killed."""
    for folder in parent.glob(f"{_PREFIX}*"):
        with contextlib.suppress(OSError):  # another's, or another run sweeps too
            info = folder.lstat()
            own = stat.S_ISDIR(info.st_mode) and info.st_uid == os.getuid() and stat.S_IMODE(info.st_mode) == 0o700
            if own and folder not in _locks and _is_orphaned(folder, info.st_mtime):
                shutil.rmtree(folder, ignore_errors=True)


def _is_orphaned(folder: Path, changed_s: float) -> bool:
    """Return whether no running process holds the folder's lock; one without a lock is judged by its age."""
    try:
        lock = os.open(folder / _ALIVE, os.O_RDWR | os.O_NOFOLLOW)
    except FileNotFoundError:
        return not any(folder.iterdir()) and time.time() - changed_s > _MIN_AGE_S
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    finally:
        os.close(lock)
    return True
