"""Who may import whom: the tables of the rooms and of the libraries, held against the imports in every file."""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
FILES = [ROOT / "run_stream.py", *sorted((ROOT / "stream").rglob("*.py")), *sorted((ROOT / "clothseg").rglob("*.py"))]

ROOMS: dict[str, tuple[str, ...]] = {
    # The library, from the ground up.
    "clothseg.shipped": (),
    "clothseg.regular": (),
    "clothseg.image_header": (),
    "clothseg.classes": (),
    "clothseg.labels": ("clothseg.classes",),
    "clothseg.network": ("clothseg.classes",),
    "clothseg.model_file": ("clothseg.network",),
    "clothseg.engines": ("clothseg.network", "clothseg.model_file"),
    "clothseg.temporal": ("clothseg.classes",),
    "clothseg.matting": ("clothseg.classes", "clothseg.temporal"),
    "clothseg.segmenter": ("clothseg.network", "clothseg.model_file", "clothseg.engines", "clothseg.matting"),
    "clothseg.tryon": (
        "clothseg.regular", "clothseg.image_header", "clothseg.classes", "clothseg.matting", "clothseg.segmenter",
    ),
    "clothseg.training.boundary": (),
    "clothseg.training.pages": ("clothseg.labels",),
    "clothseg.training.skirts": ("clothseg.labels",),
    "clothseg.training.corrections": ("clothseg.labels",),
    "clothseg.training.samples": (
        "clothseg.shipped", "clothseg.labels", "clothseg.network", "clothseg.training.skirts",
        "clothseg.training.corrections",
    ),
    "clothseg.training.eval": (
        "clothseg.classes", "clothseg.labels", "clothseg.network", "clothseg.engines", "clothseg.segmenter",
        "clothseg.training.boundary", "clothseg.training.pages", "clothseg.training.samples",
    ),
    "clothseg.training.video": (
        "clothseg.classes", "clothseg.labels", "clothseg.temporal", "clothseg.matting",
        "clothseg.training.boundary", "clothseg.training.pages", "clothseg.training.samples",
    ),
    "clothseg.training.train": (
        "clothseg.classes", "clothseg.labels", "clothseg.network", "clothseg.engines", "clothseg.training.samples",
        "clothseg.training.eval",
    ),
    # The stream: first what every stage shares,
    "stream.stage": (),
    "stream.bounds": ("clothseg.classes", "clothseg.network"),
    "stream.message": ("clothseg.classes", "clothseg.network", "stream.bounds"),
    "stream.transport": (
        "clothseg.image_header", "clothseg.classes",
        "stream.stage", "stream.bounds", "stream.message",
    ),
    "stream.client": ("stream.stage", "stream.transport"),
    "stream.media": ("stream.bounds", "stream.message"),
    "stream.settings": (  # of media how an address is shown: a refusal must not repeat a secret
        "clothseg.shipped", "clothseg.temporal", "clothseg.matting", "clothseg.tryon",
        "stream.stage", "stream.message", "stream.transport", "stream.media",
    ),
    "stream.process": ("stream.stage", "stream.message", "stream.transport", "stream.settings"),
    # then where pictures come from and go to,
    "stream.sources": (
        "clothseg.regular", "clothseg.labels",
        "stream.stage", "stream.bounds", "stream.message", "stream.media", "stream.settings",
    ),
    "stream.sinks": ("stream.stage", "stream.message", "stream.transport", "stream.media", "stream.settings"),
    # then the stages,
    "stream.capture": (
        "stream.stage", "stream.bounds", "stream.message", "stream.transport", "stream.media", "stream.settings",
        "stream.process", "stream.sources",
    ),
    "stream.dispatch": ("clothseg.network", "stream.message", "stream.transport", "stream.settings", "stream.process"),
    "stream.inference": (
        "clothseg.classes", "clothseg.engines", "clothseg.segmenter",
        "stream.stage", "stream.message", "stream.transport", "stream.settings", "stream.process",
    ),
    "stream.composite": (
        "clothseg.classes", "clothseg.network", "clothseg.temporal", "clothseg.matting", "clothseg.tryon",
        "stream.stage", "stream.message", "stream.transport", "stream.settings", "stream.process", "stream.sources",
        "stream.sinks",
    ),
    # and on top whoever puts them together.
    "stream.web": (
        "clothseg.image_header", "clothseg.classes", "clothseg.model_file", "clothseg.tryon",
        "stream.stage", "stream.message", "stream.transport", "stream.client", "stream.media", "stream.settings",
        "stream.process", "stream.capture", "stream.composite",
    ),
    "stream.run": (
        "clothseg.shipped", "clothseg.model_file",
        "stream.stage", "stream.transport", "stream.media", "stream.settings", "stream.process",
        "stream.sources", "stream.sinks", "stream.composite", "stream.web",
    ),
    "clothseg.command": (
        "clothseg.shipped", "clothseg.classes", "clothseg.network", "clothseg.model_file", "clothseg.engines",
        "clothseg.segmenter", "clothseg.training.samples", "clothseg.training.eval", "clothseg.training.train",
        "stream.stage", "stream.transport", "stream.settings", "stream.process", "stream.sinks", "stream.composite",
    ),
    "clothseg.__main__": ("clothseg.command",),
    "run_stream": ("clothseg.command",),
}  # fmt: skip
"""Every room, and which of those above it in this table it may import: no arrow runs back up."""

LIBRARIES: dict[str, tuple[str, ...]] = {
    "zmq": ("stream.transport.sockets", "stream.transport.connections", "stream.transport.keys"),
    "lz4": ("stream.transport.codec",),
    "av": ("stream.media", "stream.sources", "stream.sinks", "clothseg.command.doctor"),
    "aiortc": ("stream.web",),
    "starlette": ("stream.web", "stream.media.http_server", "stream.sinks.mjpeg"),
    "uvicorn": ("stream.web", "stream.media.http_server", "stream.sinks.mjpeg"),
    "pyvirtualcam": ("stream.sinks.virtual_camera",),
    "jinja2": ("clothseg.training.pages", "stream.sinks.mjpeg"),
    "yaml": ("stream.settings.parse", "stream.web.library"),
    "rich": ("stream.run.console", "clothseg.training.train", "clothseg.command.evaluate", "clothseg.command.export"),
    "torch": (
        "clothseg.network.u2net", "clothseg.network.checkpoint", "clothseg.network.transforms",
        "clothseg.engines", "clothseg.training.train",
    ),
    "kornia": ("clothseg.training.train",),
    "openvino": ("clothseg.engines", "clothseg.training.train"),
    "onnxruntime": ("clothseg.engines", "clothseg.training.eval.predictors", "clothseg.training.train"),
    "platformdirs": ("clothseg.engines", "stream.composite.control"),
}  # fmt: skip
"""Which rooms or modules may import a library: nobody else."""

FORBIDDEN = ("pickle", "dill", "marshal", "shelve")
"""Nothing that comes from outside is ever unpickled."""

CLOCKS = ("time", "random", "datetime", "secrets", "os")
PURE = (
    "clothseg.labels",
    "clothseg.network.roi", "clothseg.network.transforms",
    "clothseg.temporal", "clothseg.matting", "clothseg.tryon",
    "stream.message", "stream.stage",
    "stream.transport.camera_state", "stream.transport.wire", "stream.transport.framing", "stream.transport.codec",
    "stream.transport.protocol", "stream.transport.frame_encoder", "stream.transport.published",
    "stream.dispatch.scheduler", "stream.dispatch.camera", "stream.dispatch.camera_pool", "stream.dispatch.assignment",
    "stream.dispatch.ledger", "stream.dispatch.pace",
    "stream.dispatch.still_gate", "stream.dispatch.latency_controller",
    "stream.composite.resequence", "stream.composite.masks", "stream.composite.looks",
)  # fmt: skip
"""Pure rooms and modules: time, chance and surroundings are their arguments."""

ENTRIES = 16
"""As many a listing may hold before it stops to be read at a glance."""


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


def room_of(name: str) -> str | None:
    return next((room for room in ROOMS if within(name, room)), None)


def ours(name: str) -> bool:
    return any(within(name, top) for top in ("clothseg", "stream", "tools", "tests", "run_stream"))


@pytest.mark.parametrize("path", FILES, ids=module)
def test_every_file_imports_only_what_the_tables_allow(path: Path) -> None:
    own = module(path)
    for name in imports(path):
        assert name.split(".")[0] not in FORBIDDEN, f"{own} imports {name}"
        for library, users in LIBRARIES.items():
            if within(name, library):
                assert any(within(own, user) for user in users), f"{own} imports {name}; only {users} may"
        if any(within(own, pure) for pure in PURE):
            assert name.split(".")[0] not in CLOCKS, f"{own} is pure and imports {name}"
        if ours(name):
            room, other = room_of(own), room_of(name)
            assert room is not None, f"{own} is in no room of the table"
            assert other == room or other in ROOMS[room], f"{own} imports {name}; {room} may import {ROOMS[room]}"


def test_no_arrow_runs_back_up() -> None:
    above: list[str] = []
    for room, others in ROOMS.items():
        assert set(others) <= set(above), f"{room} may import {set(others) - set(above)}, which does not stand above it"
        above.append(room)


def test_every_arrow_of_the_table_is_used() -> None:
    used = {(room_of(module(path)), room_of(name)) for path in FILES for name in imports(path)}
    assert [(room, other) for room, others in ROOMS.items() for other in others if (room, other) not in used] == []


def test_every_name_in_the_tables_exists() -> None:
    known = {module(path) for path in FILES}
    named = {*ROOMS, *PURE, *(user for users in LIBRARIES.values() for user in users)}
    assert named - known == set()


@pytest.mark.parametrize("folder", ["stream", "clothseg"])
def test_a_listing_is_read_at_a_glance(folder: str) -> None:
    markers = ("__init__.py", "py.typed", "__pycache__")
    entries = [entry.name for entry in (ROOT / folder).iterdir() if entry.name not in markers]
    assert len(entries) <= ENTRIES, sorted(entries)


@pytest.mark.parametrize(
    ("loaded", "absent"),
    [
        ("stream.capture.reader", ("torch", "kornia", "openvino", "clothseg.segmenter", "clothseg.engines")),
        ("stream.dispatch.dispatch", ("torch", "kornia", "openvino", "av", "clothseg.segmenter", "clothseg.engines")),
        ("stream.run.supervisor", ("torch", "kornia", "openvino", "clothseg.segmenter", "clothseg.engines")),
        ("stream.composite.composite", ("torch", "kornia", "openvino", "clothseg.segmenter", "clothseg.engines")),
        ("stream.inference", ("torch", "kornia", "av", "clothseg.training")),
        ("stream.client", ("cv2", "lz4", "av", "yaml", "stream.settings")),
    ],
)
def test_a_stage_loads_only_what_it_needs(loaded: str, absent: tuple[str, ...]) -> None:
    """In a process of its own, on a host without a GPU."""
    program = f"import {loaded}, sys; print(*[name for name in {absent!r} if name in sys.modules])"
    assert output_of(program) == []


def test_a_cpu_stream_imports_neither_torch_nor_kornia() -> None:
    program = (
        "import sys, numpy as np; from clothseg.segmenter import Segmenter; "
        "Segmenter.load(engine='openvino').probabilities(np.zeros((48, 64, 3), np.uint8)); "
        "print(*({'torch', 'kornia'} & set(sys.modules)))"
    )
    assert output_of(program) == []


def output_of(program: str) -> list[str]:
    made = subprocess.run(
        [sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=True, timeout=60
    )
    return made.stdout.split()
