"""The client's distribution holds `stream.client` and what it imports, and nothing that needs more than arrays."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from tests.running import ROOT
from tools import build


def test_the_client_is_what_its_imports_reach() -> None:
    files = {str(path.relative_to(ROOT)) for path in build.closure("stream.client")}
    assert files >= {"stream/__init__.py", "stream/client.py", "stream/transport/protocol.py", "clothseg/classes.py"}
    assert not any(name.startswith(("stream/sinks", "stream/settings", "clothseg/engines", "tests")) for name in files)


def test_the_client_imports_alone(tmp_path: Path) -> None:
    build.lay_out_client(tmp_path)
    program = "import stream.client, clothseg; print(stream.client.__file__); print(clothseg.__file__)"
    made = subprocess.run(
        [sys.executable, "-P", "-c", program],
        cwd=tmp_path, env={"PYTHONPATH": str(tmp_path)}, capture_output=True, text=True, check=True, timeout=50,
    )  # fmt: skip
    assert all(line.startswith(str(tmp_path)) for line in made.stdout.splitlines())
    assert (tmp_path / "README.md").is_file()
    assert (tmp_path / "clothseg.toml").read_bytes() == (ROOT / "pyproject.toml").read_bytes()
