#!/usr/bin/env python3
"""Builds what is published into a folder: `clothseg` and `clothseg-client`, each as sdist and wheel.

The client is `stream.client` and whatever of ours it imports, found by reading the imports (docs/decisions/install.md).
"""

from __future__ import annotations

import argparse
import ast
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).parents[1]
_CLIENT: Final = "stream.client"
_OURS: Final = ("clothseg", "stream")


def main() -> None:
    """Build all four files."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, default=ROOT / "dist", help="folder (default %(default)s)")
    out = parser.parse_args().out.resolve()
    build(ROOT, out)
    with tempfile.TemporaryDirectory() as folder:
        lay_out_client(Path(folder))
        build(Path(folder), out)
    for path in sorted(out.iterdir()):
        print(f"{path.name}  {path.stat().st_size / 1e6:.2f} MB")


def build(project: Path, out: Path) -> None:
    """Build the sdist and the wheel of a project; raises CalledProcessError where it cannot be."""
    subprocess.run([sys.executable, "-m", "hatchling", "build", "--directory", str(out)], cwd=project, check=True)


def lay_out_client(folder: Path) -> None:
    """Put the client's project into an empty folder."""
    for path in (ROOT / "packaging/client").iterdir():
        shutil.copy(path, folder)
    shutil.copy(ROOT / "LICENSE", folder)
    shutil.copy(ROOT / "pyproject.toml", folder / "clothseg.toml")
    sources = [*closure(_CLIENT), *(ROOT / top / "py.typed" for top in _OURS)]
    for source in sources:
        target = folder / source.relative_to(ROOT)
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(source, target)


def closure(module: str) -> set[Path]:
    """The files of a module of ours, of the packages around it, and of all that these import."""
    found: set[Path] = set()
    waiting = [module]
    while waiting:
        path = _file(waiting.pop())
        if path is not None and path not in found:
            found.add(path)
            waiting += _imports(path)
            parents = path.relative_to(ROOT).parents
            waiting += [".".join(parent.parts) for parent in parents if parent.parts]
    return found


def _imports(path: Path) -> Iterator[str]:
    """Every module that a file imports, wherever in it; of `from a import b` both `a` and `a.b`."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield node.module
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def _file(module: str) -> Path | None:
    """The file of a module of ours; None for any other name."""
    if module.partition(".")[0] not in _OURS:
        return None
    stem = ROOT.joinpath(*module.split("."))
    candidates = (stem.with_suffix(".py"), stem / "__init__.py")
    return next((path for path in candidates if path.is_file()), None)


if __name__ == "__main__":
    main()
