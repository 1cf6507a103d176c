"""docs/extending.md: a copy of the project in which everything is done as the page says runs the page's config."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from pathlib import Path

import av
import numpy as np
import pytest

from tests.clothseg.test_models import model
from tests.running import ROOT

PAGE = (ROOT / "docs/extending.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"```(python|yaml|diff)\n(.*?)```", PAGE, re.DOTALL)
FRAMES = 10
BARS = {"wall": False, "skin": True, "shirt": True, "trousers": True, "sky": False}


def write_block(folder: Path, kind: str, text: str) -> str:
    """Do what a block says; the file that it is about."""
    head, _, body = text.partition("\n")
    if kind == "diff":
        name, lines = head.removeprefix("--- "), body.splitlines()
        before = "".join(line[1:] + "\n" for line in lines if line[0] != "+")
        after = "".join(line[1:] + "\n" for line in lines if line[0] != "-")
    elif match := re.fullmatch(r"# (\S+), before (\w+)", head):
        name, before = match[1], f"\n{match[2]} = "
        after = f"\n{body}{match[2]} = "
    else:
        name, before, after = head.removeprefix("# "), "", body
    path = folder / name
    path.parent.mkdir(exist_ok=True)
    known = path.read_text(encoding="utf-8") if before else ""
    assert known.count(before) == 1, f"{name} holds {before!r} {known.count(before)} times"
    path.write_text(known.replace(before, after), encoding="utf-8")
    return name


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """The project with what the page adds."""
    for package in ("stream", "clothseg"):
        shutil.copytree(ROOT / package, tmp_path / package, ignore=shutil.ignore_patterns("__pycache__", "weights"))
    (tmp_path / "clothseg/weights").symlink_to(ROOT / "clothseg/weights")
    shutil.copy(ROOT / "run_stream.py", tmp_path)
    for kind, text in BLOCKS:
        write_block(tmp_path, kind, text)
    model(tmp_path / "models/parser.onnx", len(BARS), None)
    return tmp_path


@pytest.mark.timeout(180)
def test_a_sink_an_effect_a_source_and_a_model_run_as_the_page_says(project: Path) -> None:
    command = [sys.executable, "run_stream.py", "run.yaml"]
    ran = subprocess.run(
        command, cwd=project, env={"PYTHONPATH": ""}, capture_output=True, text=True, timeout=150, check=False
    )
    assert ran.returncode == 0, ran.stderr
    with av.open(str(project / "chart.m3u8")) as container:
        pictures = [frame.to_ndarray(format="bgr24") for frame in container.decode(video=0)]
    assert len(pictures) == FRAMES
    bars = np.array_split(pictures[-1], len(BARS), axis=1)
    coloured = {}
    for name, bar in zip(BARS, bars, strict=True):
        middle = bar[80:160, 16:48].reshape(-1, 3).mean(0)
        coloured[name] = middle[2] - middle[0] > 24
    assert coloured == BARS


def test_a_sink_is_three_files_an_effect_and_a_source_two(tmp_path: Path) -> None:
    sections = dict(re.findall(r"## (A \w+|An \w+)[^\n]*\n(.*?)(?=\n## )", PAGE, re.DOTALL))
    files = {section: set(re.findall(r"```\w+\n(?:# |--- )([^\s,]+\.py)", body)) for section, body in sections.items()}
    assert {section: len(names) for section, names in files.items()} == {
        "A sink": 3,
        "An effect": 2,
        "A source": 2,
        "A model": 0,
    }
