"""The user's cache folders: compiled models, and our networks exported for a runtime."""

import hashlib
import os
import shutil
import tempfile
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Final

import platformdirs

# Compiled models, 3 to 10 MB each, and exported networks, 5 to 25 MB.
_COMPILED: Final = "openvino"
_LARGEST_COMPILED: Final = 16
_LARGEST_EXPORTED: Final = 4


def compiled_folder() -> Path:
    """The folder of compiled models, the oldest beyond a bound removed. Raises OSError if unwritable."""
    folder = _folder(_COMPILED)
    _forget(folder.glob("*.blob"), _LARGEST_COMPILED)
    return folder


def has_compiled() -> bool:
    """Whether anything compiled is kept from before: else the first picture waits for it."""
    return any((platformdirs.user_cache_path("clothseg") / _COMPILED).glob("*.blob"))


def exported(weights: Path, name: str, version: str, write: Callable[[Path], None]) -> Path:
    """The file `name` that `write` makes of weights, made once. Raises OSError where nothing can be kept.

    Known by the content of the weights, the runtime's `version` and the code that writes it. Written whole or not at
    all, also by two processes at once.
    """
    folder = _folder("exported")
    kept = folder / f"{fingerprint(weights)[:32]}-{_code()[:16]}-{version}-{name}".replace("/", "_")
    if not (kept / name).is_file():
        making = Path(tempfile.mkdtemp(dir=folder, prefix=".making-"))
        try:
            write(making / name)
            _forget((one for one in folder.iterdir() if not one.name.startswith(".")), _LARGEST_EXPORTED - 1)
            making.rename(kept)
        except OSError:
            if not (kept / name).is_file():  # else another process was first
                raise
        finally:
            shutil.rmtree(making, ignore_errors=True)
    return kept / name


def fingerprint(weights: Path) -> str:
    """The SHA-256 of a file: what ties a model to the weights it was made from."""
    with weights.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _code() -> str:
    """Return a hash that differs between releases of the exporters."""
    sources = sorted([*Path(__file__).parent.glob("export_*.py"), Path(__file__).with_name("graph.py")])
    return hashlib.sha256(b"".join(source.read_bytes() for source in sources)).hexdigest()


def _folder(name: str) -> Path:
    folder = platformdirs.user_cache_path("clothseg") / name
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    if not os.access(folder, os.W_OK):
        raise PermissionError(f"{folder} is not writable")
    return folder


def _forget(entries: Iterable[Path], max_files: int) -> None:
    """Remove the oldest beyond so many."""
    for entry in sorted(entries, key=lambda entry: entry.stat().st_mtime)[:-max_files]:
        if entry.is_dir():
            shutil.rmtree(entry, ignore_errors=True)
        else:
            entry.unlink(missing_ok=True)
