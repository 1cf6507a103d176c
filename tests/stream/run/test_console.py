"""What a person is told: each camera's pace and ledger, in one line."""

from __future__ import annotations

import unicodedata
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from stream.process.pipe import StatusReport
from stream.process.status import CameraStatus
from stream.run.console import Console, escape_controls, summary
from stream.transport.camera_state import CameraState

STATUS = CameraStatus(
    camera="front",
    mode="live",
    state=CameraState.LIVE,
    captured=120,
    delivered=100,
    dropped={"superseded": 18, "worker_lost": 1},
    in_flight=1,
    reconnects=2,
    in_hz=30.0,
    out_hz=25.0,
    age_p50_ms=41.2,
    age_p95_ms=77.9,
    start_ms=1640.0,
    frames=None,
    mask_sources={"network": 60, "warped": 40},
    mask_timing="network",
    mask_every=1,
    mask_detail=1.0,
)


def status(**changes: Any) -> CameraStatus:
    return msgspec.structs.replace(STATUS, **changes)


def test_one_line_tells_pace_age_and_drops_by_reason() -> None:
    line = summary(STATUS)
    for word in ("front", "30.0 → 25.0 fps", "41/78 ms", "100 of 120", "18 superseded, 1 worker_lost", "reconnects 2"):
        assert word in line


def test_what_the_start_took_is_told_apart_once_it_is_known() -> None:
    assert "25.0 fps, started in 1.6 s, age 41/78 ms" in summary(STATUS)
    assert "25.0 fps, age 41/78 ms" in summary(status(start_ms=None))


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"mask_timing": "ahead"}, "reconnects 2, frames do not wait for their masks"),
        ({"mask_timing": "ahead", "mask_every": 3}, "do not wait for their masks, network on every 3rd frame"),
        ({"mask_every": 2, "mask_detail": 0.5}, "reconnects 2, network on every 2nd frame, at 50% of its input size"),
        ({}, "reconnects 2"),
    ],
)
def test_one_line_tells_how_masks_are_spared(changes: dict[str, Any], told: str) -> None:
    assert summary(status(**changes)).endswith(told)


def test_without_a_terminal_only_changes_are_logged(capsys: pytest.CaptureFixture[str]) -> None:
    console = Console()
    with console:
        live = [CameraState.LIVE] * 3
        for state in (CameraState.OPENING, *live, CameraState.NO_SIGNAL):
            console.show(StatusReport([status(state=state)], 0))
    said = capsys.readouterr().err
    assert [line.split(", ")[0] for line in said.splitlines()] == ["front: live", "front: no signal"]


def test_the_ledger_ends_with_what_was_refused(capsys: pytest.CaptureFixture[str]) -> None:
    Console().ledger(StatusReport([STATUS], 7))
    said = capsys.readouterr().err
    assert "delivered 100 of 120" in said
    assert "7 malformed messages rejected" in said


def test_square_brackets_in_an_event_are_not_markup(capsys: pytest.CaptureFixture[str]) -> None:
    Console().log("cannot open [/tmp/a].mp4")
    assert "cannot open [/tmp/a].mp4" in capsys.readouterr().err


@given(st.text(alphabet=st.characters(categories=["Cc", "Cf", "Zl", "Zp", "Lu", "Zs"])))
def test_nothing_that_a_peer_says_steers_the_terminal(text: str) -> None:
    shown = escape_controls(text)
    assert not any(unicodedata.category(character) in {"Cc", "Cf", "Zl", "Zp"} for character in shown)


def test_a_hostile_cause_is_one_line_that_shows_what_came(capsys: pytest.CaptureFixture[str]) -> None:
    console = Console()
    console.log("front: gone\x1b[2J\r\n12:00:00 front: \u202eall well\x9b31m")
    console.close()
    [line] = capsys.readouterr().err.splitlines()
    assert line.endswith(r" front: gone\x1b[2J\r\n12:00:00 front: \u202eall well\x9b31m")
