"""Puts what arrives from many workers back into each camera's order; pure, no clock, no socket.

Frames come in any order and perhaps twice; events of the dispatcher (`StreamStart`, `Outage`,
`EndOfStream`, `Dropped`) take effect at their place in the sequence.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from typing import Final

from stream.message import Dropped, EndOfRun, EndOfStream, Frame, Outage, PropagatedFrame, SegmentedFrame, StreamStart

MaskedFrame = SegmentedFrame | PropagatedFrame
"""A frame with masks, or with word of where they come from."""

_MAX_EARLY: Final = 256  # frames before their turn: no camera has more in flight, unless a peer invents them
_MAX_UNKNOWN: Final = 64  # cameras of which frames came and no start: the start is on its way, or never comes


class Resequencer:
    """A reorder buffer per camera: `push` what came, get what is due."""

    def __init__(self) -> None:
        self._cameras: dict[str, _CameraSequence] = {}

    def push(
        self, item: MaskedFrame | StreamStart | Outage | EndOfStream | Dropped | EndOfRun
    ) -> Iterator[MaskedFrame | StreamStart | Outage | EndOfStream]:
        """Take one message and yield, in order, all that is now due of its camera."""
        if isinstance(item, EndOfRun):
            return
        name = item.frame.camera if isinstance(item, MaskedFrame) else item.camera
        camera = self._cameras.get(name) or self._expect(name)
        if isinstance(item, MaskedFrame):
            camera.take(item.frame.seq, item)
        elif isinstance(item, Dropped):
            camera.take(item.seq, item)
        else:
            camera.events.append(item)
        for due in camera.due():
            yield due
            if isinstance(due, EndOfStream):
                del self._cameras[name]
                return  # a second end changes nothing

    def has_passed(self, frame: Frame) -> bool:
        """Return whether a frame's turn is over: it was delivered or dropped."""
        camera = self._cameras.get(frame.camera)
        return camera is not None and frame.seq < camera.next_seq

    def _expect(self, name: str) -> _CameraSequence:
        """A camera that was not known; of those that never started the oldest is forgotten where they are too many."""
        unknown = [other for other, camera in self._cameras.items() if camera.epoch < 0]
        if len(unknown) >= _MAX_UNKNOWN:
            del self._cameras[unknown[0]]
        camera = self._cameras[name] = _CameraSequence()
        return camera


class _CameraSequence:
    """One camera's next number, the frames that are early, and the events still to take effect."""

    def __init__(self) -> None:
        self.next_seq = 0
        self.epoch = -1
        self.early: dict[int, MaskedFrame | Dropped] = {}
        self.events: deque[StreamStart | Outage | EndOfStream] = deque()

    def take(self, seq: int, item: MaskedFrame | Dropped) -> None:
        if not self.next_seq <= seq < self.next_seq + _MAX_EARLY:
            return  # a duplicate of one that went out, or an invention
        if isinstance(item, Dropped):
            self.early[seq] = item  # dropped after all
        else:
            self.early.setdefault(seq, item)

    def due(self) -> Iterator[MaskedFrame | StreamStart | Outage | EndOfStream]:
        while True:
            if self.events and _takes_effect_at(self.events[0]) <= self.next_seq:
                event = self.events.popleft()
                if isinstance(event, StreamStart):
                    self.epoch = event.epoch
                yield event
                continue
            item = self.early.get(self.next_seq)
            if item is None or _epoch(item) > self.epoch:  # its StreamStart is still on the way
                return
            del self.early[self.next_seq]
            self.next_seq += 1
            if isinstance(item, MaskedFrame):
                yield item


def _takes_effect_at(event: StreamStart | Outage | EndOfStream) -> int:
    """The number of the frame before which the event takes effect."""
    return event.first_seq if isinstance(event, StreamStart) else event.last_seq + 1


def _epoch(item: MaskedFrame | Dropped) -> int:
    return item.frame.epoch if isinstance(item, MaskedFrame) else item.epoch
