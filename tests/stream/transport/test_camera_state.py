"""One camera, one state: what the table says, and nothing else."""

from __future__ import annotations

import itertools
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stream.message import DemandChanged, EndOfStream, Outage, StreamStart
from stream.transport.camera_state import (
    TRANSITIONS,
    CameraEvent,
    CameraState,
    EventKind,
    StreamInfo,
    TransitionError,
    after,
)

DOCS = Path(__file__).parents[3] / "docs"
EVENTS: dict[EventKind, CameraEvent] = {
    "start": StreamStart("front", 1, 4, "live", "a source", 30.0),
    "outage": Outage("front", 3, "gone"),
    "watched": DemandChanged("front", watched=True),
    "unwatched": DemandChanged("front", watched=False),
    "end": EndOfStream("front", 9),
    "failure": EndOfStream("front", 9, "the disk is full"),
    "stop": EndOfStream("front", 9, interrupted=True),
}


@pytest.mark.parametrize(("state", "kind"), [*itertools.product(CameraState, EVENTS)])
def test_an_event_leads_where_the_table_says_or_nowhere(state: CameraState, kind: EventKind) -> None:
    following = TRANSITIONS[state].get(kind)
    if following is not None:
        assert after(state, EVENTS[kind]) is following
    else:
        with pytest.raises(TransitionError, match=f"of a camera that is {state}, got {kind}"):
            after(state, EVENTS[kind])


def test_every_state_can_be_reached_and_the_last_ones_are_never_left() -> None:
    reached = {CameraState.OPENING, *(to for following in TRANSITIONS.values() for to in following.values())}
    assert reached == {*CameraState}
    over = {CameraState.ENDED, CameraState.FAILED, CameraState.STOPPED}
    assert {state for state in CameraState if state.over} == over
    for state in {*CameraState} - over:
        assert over <= {*TRANSITIONS[state].values()}


def test_a_source_is_open_while_its_picture_could_come() -> None:
    assert {state for state in CameraState if state.open} == {CameraState.LIVE, CameraState.UNWATCHED}


@given(st.lists(st.sampled_from([*EVENTS])))
def test_what_the_roster_says_follows_the_same_table(kinds: list[EventKind]) -> None:
    info = StreamInfo("front")
    for kind in kinds:
        try:
            state = after(info.state, EVENTS[kind])
        except TransitionError:
            with pytest.raises(TransitionError):
                info.after(EVENTS[kind])
            return
        info = info.after(EVENTS[kind])
        assert info.state is state
        assert (info.cause is not None) == (state in (CameraState.NO_SIGNAL, CameraState.FAILED))


def test_the_roster_knows_what_the_source_said_and_where_it_was_lost() -> None:
    live = StreamInfo("front").after(EVENTS["start"])
    assert live == StreamInfo("front", CameraState.LIVE, "live", 1, 30.0)
    lost = live.after(EVENTS["outage"])
    assert lost == StreamInfo("front", CameraState.NO_SIGNAL, "live", 1, 30.0, None, 3, "gone")


def test_the_docs_list_the_table() -> None:
    """Each state has its row: what it means is written there, where it leads is checked here."""
    page = (DOCS / "decisions/camera-state.md").read_text(encoding="utf-8")
    for state, following in TRANSITIONS.items():
        leads = ", ".join(f"{kind} → `{to}`" for kind, to in following.items()) or "nothing"
        assert f"| `{state}` | {leads} |" in page, f"| `{state}` | {leads} |"
    protocol = (DOCS / "protocol.md").read_text(encoding="utf-8")
    assert all(f"`{state}`" in protocol for state in CameraState)
