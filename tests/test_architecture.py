"""Who may know whom: the table of the rooms, held against the imports in every file."""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
HOUSE = [ROOT / "run_stream.py", *sorted((ROOT / "stream").rglob("*.py")), *sorted((ROOT / "clothseg").rglob("*.py"))]

ONLY = {
    "zmq": ("stream.transport.sockets", "stream.connections", "stream.keys"),
    "av": ("stream.sources", "stream.sinks", "stream.media.srt"),
    "aiortc": ("stream.web",),
    "starlette": ("stream.web", "stream.sinks.mjpeg"),
    "uvicorn": ("stream.web", "stream.sinks.mjpeg"),
    "torch": (
        "clothseg.network.u2net",
        "clothseg.network.checkpoint",
        "clothseg.network.transforms",
        "clothseg.engines",
        "clothseg.training",
    ),
    "kornia": ("clothseg.training",),
    "openvino": ("clothseg.engines", "clothseg.training"),
    "onnxruntime": ("clothseg.engines", "clothseg.training"),
    "rich": ("stream.run.console", "clothseg.training"),
}
"""Who may import what: nobody else."""

NEVER = {
    "clothseg": ("stream", "tools", "tests", "run_stream"),
    "stream": ("tools", "tests", "run_stream", "clothseg.training"),
    "run_stream": ("tools", "tests", "clothseg.training"),
}
"""Who must not import whom."""

CLOCKS = ("time", "random", "datetime", "secrets", "os")
STEPS = ("clothseg.temporal.smoothing", "clothseg.temporal.state", "clothseg.temporal.motion", "clothseg.matting.matting", "clothseg.tryon",
         "clothseg.network.transforms", "clothseg.network.roi", "clothseg.temporal.rect",
         "stream.dispatch.scheduler", "stream.composite.resequence", "stream.transport.wire", "stream.message")  # fmt: skip
"""Pure rooms: time, chance and surroundings are their arguments."""


def module(path: Path) -> str:
    return ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")


def imports(path: Path) -> Iterator[str]:
    """Every module that a file imports, also inside functions, but not what only type checkers see."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    unseen = {
        id(inner)
        for node in ast.walk(tree)
        if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.dump(node.test)
        for inner in ast.walk(node)
    }
    for node in ast.walk(tree):
        if id(node) in unseen:
            continue
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def within(name: str, room: str) -> bool:
    return name == room or name.startswith(room + ".")


@pytest.mark.parametrize("path", HOUSE, ids=module)
def test_every_room_knows_only_whom_it_may(path: Path) -> None:
    own = module(path)
    for name in imports(path):
        for library, rooms in ONLY.items():
            if within(name, library):
                assert any(within(own, room) for room in rooms), f"{own} imports {name}; only {rooms} may"
        for house, others in NEVER.items():
            if within(own, house):
                assert not any(within(name, other) for other in others), f"{own} imports {name}"
        if any(within(own, step) for step in STEPS):
            assert name.split(".")[0] not in CLOCKS, f"{own} is pure and imports {name}"


def test_nothing_is_ever_unpickled() -> None:
    for path in HOUSE:
        assert not {"pickle", "dill", "marshal", "shelve"} & {name.split(".")[0] for name in imports(path)}, path


@pytest.mark.parametrize(
    ("room", "absent"),
    [
        ("stream.capture.reader", ("torch", "kornia", "openvino", "clothseg.segmenter", "clothseg.engines")),
        ("stream.dispatch.dispatch", ("torch", "kornia", "openvino", "av", "clothseg.segmenter", "clothseg.engines")),
        ("stream.run.supervisor", ("torch", "kornia", "openvino", "clothseg.segmenter", "clothseg.engines")),
        ("stream.composite.composite", ("torch", "kornia", "openvino", "clothseg.segmenter", "clothseg.engines")),
        ("stream.inference", ("torch", "kornia", "av", "clothseg.training")),
    ],
)
def test_a_stage_loads_only_what_it_needs(room: str, absent: tuple[str, ...]) -> None:
    """In a process of its own, on a host without a GPU."""
    program = f"import {room}, sys; print(*[name for name in {absent!r} if name in sys.modules])"
    loaded = subprocess.run(
        [sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=True, timeout=60
    )
    assert loaded.stdout.split() == []


def test_a_cpu_stream_imports_neither_torch_nor_kornia() -> None:
    program = (
        "import sys, numpy as np; from clothseg.segmenter import Segmenter; "
        "Segmenter.load(engine='openvino').probabilities(np.zeros((48, 64, 3), np.uint8)); "
        "print(*({'torch', 'kornia'} & set(sys.modules)))"
    )
    loaded = subprocess.run(
        [sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=True, timeout=60
    )
    assert loaded.stdout.split() == []
