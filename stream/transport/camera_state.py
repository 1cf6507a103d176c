"""The state of a camera: one enum and the table of its transitions, for whoever decides, shows or follows it.

The dispatcher decides what happens to a camera, composite keeps its state and lets nothing through that does not fit
it; the console, the control socket, the roster and the page all show that one state.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from typing import Any, Final, Literal, Self

import msgspec
from msgspec import structs

from stream.message import DemandChanged, EndOfStream, Mode, Outage, StreamStart

CameraEvent = StreamStart | Outage | DemandChanged | EndOfStream
"""What changes the state of a camera."""
EventKind = Literal["start", "outage", "watched", "unwatched", "end", "failure", "stop"]


class CameraState(StrEnum):
    """How a camera stands."""

    OPENING = "opening"
    """Its source has not been opened yet."""
    LIVE = "live"
    """Its picture comes, and an output has a use for it."""
    UNWATCHED = "unwatched"
    """Its source is open, and no output has a use for it: no picture is asked for."""
    NO_SIGNAL = "no_signal"
    """Its source is lost, or cannot be opened, and is tried again."""
    ENDED = "ended"
    """Its source was read to the end."""
    FAILED = "failed"
    """It ended with an error."""
    STOPPED = "stopped"
    """A person ended it: no error, and not the whole stream."""

    @property
    def open(self) -> bool:
        """Whether its source is open."""
        return self in (CameraState.LIVE, CameraState.UNWATCHED)

    @property
    def over(self) -> bool:
        """Whether nothing comes from it any more."""
        return not TRANSITIONS[self]


_ENDS: Final[Mapping[EventKind, CameraState]] = {
    "end": CameraState.ENDED,
    "failure": CameraState.FAILED,
    "stop": CameraState.STOPPED,
}
TRANSITIONS: Final[Mapping[CameraState, Mapping[EventKind, CameraState]]] = {
    # Nobody is asked whether anybody looks before there is something to see.
    CameraState.OPENING: {"start": CameraState.LIVE, "outage": CameraState.NO_SIGNAL, **_ENDS},
    # No `start`: a reader that is replaced says nothing of its loss, but the dispatcher does.
    CameraState.LIVE: {"outage": CameraState.NO_SIGNAL, "unwatched": CameraState.UNWATCHED, **_ENDS},
    CameraState.UNWATCHED: {"outage": CameraState.NO_SIGNAL, "watched": CameraState.LIVE, **_ENDS},
    # Each try that fails says why. Who looks is asked on, and told again after the start.
    CameraState.NO_SIGNAL: {
        "start": CameraState.LIVE,
        "outage": CameraState.NO_SIGNAL,
        "watched": CameraState.NO_SIGNAL,
        "unwatched": CameraState.NO_SIGNAL,
        **_ENDS,
    },
    CameraState.ENDED: {},
    CameraState.FAILED: {},
    CameraState.STOPPED: {},
}
"""By state, what may happen and where it leads; what does not stand here is no transition."""


class TransitionError(ValueError):
    """An event that does not fit the state of its camera."""


def after(state: CameraState, event: CameraEvent) -> CameraState:
    """The state after an event; raises TransitionError for one that is not in the table."""
    kind = _kind_of(event)
    try:
        return TRANSITIONS[state][kind]
    except KeyError:
        expected = ", ".join(TRANSITIONS[state]) or "nothing"
        raise TransitionError(f"expected {expected} of a camera that is {state}, got {kind}") from None


def _kind_of(event: CameraEvent) -> EventKind:
    match event:
        case StreamStart():
            return "start"
        case Outage():
            return "outage"
        case DemandChanged(watched=watched):
            return "watched" if watched else "unwatched"
        case EndOfStream(error=None, interrupted=interrupted):
            return "stop" if interrupted else "end"
        case EndOfStream():
            return "failure"


class StreamInfo(msgspec.Struct, frozen=True):
    """State of a camera as it is published; `last_seq` is its last frame before an outage or its end.

    `cause` says why there is no signal or why it failed, a sentence. `rate_hz` and `frames` are the nominal rate and
    the expected number, where the source knows them.
    """

    camera: str
    state: CameraState = CameraState.OPENING
    mode: Mode = "live"
    epoch: int = 0
    rate_hz: float | None = None
    frames: int | None = None
    last_seq: int | None = None
    cause: str | None = None

    def after(self, event: CameraEvent) -> Self:
        """Return what is known of the camera after an event; raises TransitionError."""
        changes: dict[str, Any] = {}
        match event:
            case StreamStart(mode=mode, epoch=epoch, rate_hz=rate_hz, frames=frames):
                changes = {"mode": mode, "epoch": epoch, "rate_hz": rate_hz, "frames": frames, "cause": None}
            case Outage(last_seq=last_seq, cause=cause) | EndOfStream(last_seq=last_seq, error=cause):
                changes = {"last_seq": last_seq, "cause": cause}
        return structs.replace(self, state=after(self.state, event), **changes)
