"""docs/outputs.md: what it tells to write into a config is read and runs."""

from __future__ import annotations

import re
import typing
from pathlib import Path

import pytest

from stream.settings import parse
from stream.settings.config import OutputSettings
from tests.running import ROOT, run

PAGE = (ROOT / "docs/outputs.md").read_text(encoding="utf-8")
SNIPPETS = re.findall(r"```yaml\n(.*?)```", PAGE, re.DOTALL)
CAMERA = 'cameras:\n  front: {source: "synthetic:?frames=6"}\n'


def test_every_kind_of_output_is_on_the_page() -> None:
    kinds = {kind.__struct_config__.tag for kind in typing.get_args(OutputSettings)}
    assert kinds == set(re.findall(r"^\| `(\w+)` \|", PAGE, re.MULTILINE))


@pytest.mark.parametrize("text", SNIPPETS)
def test_every_snippet_is_a_config(tmp_path: Path, text: str) -> None:
    (tmp_path / "run.yaml").write_text(text if "cameras:" in text else CAMERA + text, encoding="utf-8")
    assert parse.parse(parse.load(tmp_path / "run.yaml")).outputs


@pytest.mark.timeout(120)
def test_the_first_config_runs_as_it_stands(tmp_path: Path) -> None:
    text = (
        SNIPPETS[0]
        .replace('"synthetic:", mode: live', '"synthetic:?frames=6", mode: file')
        .replace("out/", f"{tmp_path}/")
    )
    text = re.sub(r":(5556|8080)\b", ":0", text)
    config = tmp_path / "run.yaml"
    config.write_text(text, encoding="utf-8")
    code, words = run(str(config))
    assert code == 0, words
    assert re.search(r"delivered 6 of 6", words)
    assert (tmp_path / "view.mp4").stat().st_size > 1000
    assert (tmp_path / "clothing.webm").stat().st_size > 1000
