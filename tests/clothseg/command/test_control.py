"""The command that changes a running stream, against a real control socket."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from queue import SimpleQueue

import pytest

from clothseg.command import control
from clothseg.tryon import BackgroundColour
from stream.composite.control_server import ControlServer
from stream.composite.looks import LookChange, LookChanges, drain
from tests.stream.composite.test_control_server import SETTINGS, Reports


@pytest.fixture
def changes() -> LookChanges:
    return SimpleQueue()


@pytest.fixture
def endpoint(changes: LookChanges) -> Iterator[str]:
    server = ControlServer(SETTINGS, "tcp://127.0.0.1:*", changes, Reports())
    yield server.endpoint
    server.close()


def shown(endpoint: str, capsys: pytest.CaptureFixture[str]) -> object:
    """What the status says is shown of the first camera."""
    assert control.main(["--endpoint", endpoint, "status"]) == 0
    return json.loads(capsys.readouterr().out)["cameras"][0]["look"]


def test_it_changes_and_tells(endpoint: str, changes: LookChanges, capsys: pytest.CaptureFixture[str]) -> None:
    for words in (["cutout", "top", "--camera", "front"], ["panels", "raw", "parts"]):
        assert control.main(["--endpoint", endpoint, *words]) == 0
        assert json.loads(capsys.readouterr().out) == {"reply": "accepted"}
    assert [*drain(changes)] == [LookChange("front", cutout="top"), LookChange(None, panels=("raw", "parts"))]
    assert shown(endpoint, capsys) == {"effects": [], "cutout": "top", "panels": ["raw", "parts"]}


def test_effects_are_a_list_in_yaml_or_a_file(
    endpoint: str, changes: LookChanges, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    text = "[{effect: background_colour, colour: '#102030'}]"
    file = tmp_path / "night.yaml"
    file.write_text(text)
    for given in (text, f"@{file}"):
        assert control.main(["--endpoint", endpoint, "effects", given]) == 0
        capsys.readouterr()
        (change,) = drain(changes)
        assert change.effects is not None
        assert len(change.effects) == 1
    settings = BackgroundColour("#102030")
    assert shown(endpoint, capsys) == {
        "effects": [{"effect": "background_colour", "colour": settings.colour}],
        "cutout": "person",
        "panels": ["composite"],
    }


@pytest.mark.parametrize(
    ("words", "complaint"),
    [
        (["cutout", "a hat"], "cutout: "),
        (["cutout", "top", "--camera", "attic"], "camera: expected one of front, side, got attic"),
        (["effects", "{"], "effects: expected a list in YAML"),
        (["effects", "@missing.yaml"], "effects: expected a list in YAML"),
        (["effects", "[{effect: background_color}]"], "did you mean background_colour?"),
    ],
)
def test_what_is_wrong_is_said_in_a_sentence(
    endpoint: str, words: list[str], complaint: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert control.main(["--endpoint", endpoint, *words]) == 1
    said = capsys.readouterr()
    assert complaint in said.err
    assert not said.out


def test_nobody_there_is_said(capsys: pytest.CaptureFixture[str]) -> None:
    assert control.main(["--endpoint", "tcp://127.0.0.1:1", "--timeout-ms", "100", "status"]) == 1
    assert "no reply on tcp://127.0.0.1:1" in capsys.readouterr().err
