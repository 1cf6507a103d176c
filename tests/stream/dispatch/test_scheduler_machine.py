"""Cameras and visitors that come and go, workers that die, readers that are replaced, in any order of events.

Every change of a camera's state is one of the table: in the dispatcher as in composite, which follows it.

The dispatcher and the resequencer stand where they stand in a run: what workers send on, and what the dispatcher tells
composite, arrives there in any order but each sender's own, and the word of what was taken comes back late or never.
"""

from __future__ import annotations

from collections import Counter, deque
from typing import NamedTuple

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from clothseg.classes import USUAL
from stream.composite.resequence import Resequencer
from stream.dispatch.camera import Outgoing
from stream.dispatch.camera_pool import VISITOR_TIMEOUT_NS
from stream.dispatch.scheduler import Scheduler
from stream.message import (
    Ack,
    DemandChanged,
    Dropped,
    EndOfRun,
    EndOfStream,
    Frame,
    Mode,
    NewPicture,
    Outage,
    PropagatedFrame,
    SegmentedFrame,
    SourceEnded,
    SourceLost,
    SourceOpened,
    StreamStart,
)
from stream.process.status import CameraStatus
from stream.settings.pace import Pace
from stream.transport.camera_state import CameraState, TransitionError, after
from tests.stream.pictures import picture, segmented

pytestmark = pytest.mark.timeout(300)
DEADLINE_NS = 1000
RESIDENTS: dict[str, Mode] = {"camera": "live", "clip": "file", "other": "file"}
GUESTS = ("first", "second", "third")
CAMERAS = st.sampled_from([*RESIDENTS, *GUESTS])
SLOTS = st.sampled_from(["host-worker-0", "host-worker-1"])


class _Way(NamedTuple):
    """One sender's messages to composite, oldest first."""

    items: deque[object]


class Run(RuleBasedStateMachine):
    def __init__(self) -> None:
        super().__init__()
        self.now_ns = 0
        self.dispatcher = Scheduler(
            [*RESIDENTS], DEADLINE_NS, max_visitors=2, pace=Pace(still_levels=0), can_propagate=True
        )
        self.resequencer = Resequencer()
        self.ways: dict[str, _Way] = {"dispatch": _Way(deque())}
        self.words: deque[Ack | Dropped] = deque()
        self.work: dict[str, Frame] = {}
        self.incarnation: Counter[str] = Counter()
        self.shown: dict[str, int] = {}
        self.drawn: Counter[str] = Counter()
        self.states: dict[str, CameraState] = {}
        self.pictures = 0
        self.lossless = True
        self.composite_heard_all = True
        self.left: list[CameraStatus] = []

    # What happens.

    def tell(self, orders: list[Outgoing]) -> None:
        for order in orders:
            if order.to == "composite":
                self.ways["dispatch"].items.append(order.message)
            elif order.to == "worker":
                assert isinstance(order.message, Frame)
                assert order.name not in self.work, "a worker has one frame at a time"
                self.work[order.name] = order.message
        while self.dispatcher.departed_visitors:
            self.left.append(self.dispatcher.departed_visitors.pop())

    def worker(self, slot: str) -> str:
        return f"{slot}.{self.incarnation[slot]}"

    @rule(camera=CAMERAS, mode=st.sampled_from(["live", "file"]))
    def a_reader_opens_its_source_or_one_takes_its_place(self, camera: str, mode: Mode) -> None:
        self.tell(
            self.dispatcher.on_reader_message(
                SourceOpened(camera, RESIDENTS.get(camera, mode), "a source"), self.now_ns
            )
        )

    @rule(camera=CAMERAS, superseded=st.integers(0, 3))
    def a_reader_offers_a_picture(self, camera: str, superseded: int) -> None:
        self.pictures += 1
        self.tell(
            self.dispatcher.on_reader_message(NewPicture(camera, picture(self.pictures), superseded), self.now_ns)
        )

    @rule(camera=CAMERAS)
    def a_reader_loses_its_source(self, camera: str) -> None:
        if RESIDENTS.get(camera) != "file":
            self.tell(self.dispatcher.on_reader_message(SourceLost(camera, "gone"), self.now_ns))

    @rule(camera=CAMERAS, error=st.sampled_from([None, "broken"]))
    def a_reader_ends(self, camera: str, error: str | None) -> None:
        self.tell(self.dispatcher.on_reader_message(SourceEnded(camera, error), self.now_ns))

    @rule(camera=CAMERAS, watched=st.booleans())
    def demand_changes(self, camera: str, watched: bool) -> None:
        self.tell(self.dispatcher.on_demand_changed(DemandChanged(camera, watched)))

    @rule(slot=SLOTS)
    def a_worker_is_ready(self, slot: str) -> None:
        worker = self.worker(slot)
        frame = self.work.pop(worker, None)
        if frame is not None and frame.reply == "frame":
            way = self.ways.setdefault(worker, _Way(deque()))
            way.items.append(SegmentedFrame(frame, USUAL, segmented().probabilities))
        self.tell(self.dispatcher.on_worker_ready(worker, self.now_ns))

    @rule(slot=SLOTS, with_what_it_sent=st.booleans())
    def a_worker_dies(self, slot: str, with_what_it_sent: bool) -> None:
        worker = self.worker(slot)
        self.incarnation[slot] += 1
        self.work.pop(worker, None)
        if with_what_it_sent:
            self.ways.pop(worker, None)
        self.tell(self.dispatcher.on_worker_exited(worker, self.now_ns))

    @rule(slot=SLOTS)
    def a_frame_is_lost_on_the_way_to_a_worker(self, slot: str) -> None:
        worker = self.worker(slot)
        if self.work.pop(worker, None) is not None:
            self.tell(self.dispatcher.on_frame_undelivered(worker))
            self.tell(self.dispatcher.on_worker_ready(worker, self.now_ns))

    @rule(slot=SLOTS)
    def a_worker_is_replaced_without_a_word(self, slot: str) -> None:
        self.work.pop(self.worker(slot), None)
        self.incarnation[slot] += 1
        self.tell(self.dispatcher.on_worker_ready(self.worker(slot), self.now_ns))

    @rule(slot=SLOTS)
    def a_word_of_a_dead_worker_comes_late(self, slot: str) -> None:
        if self.incarnation[slot]:
            self.tell(self.dispatcher.on_worker_ready(f"{slot}.{self.incarnation[slot] - 1}", self.now_ns))

    @rule(gap_ns=st.sampled_from([1, DEADLINE_NS + 1, VISITOR_TIMEOUT_NS + 1]))
    def time_passes(self, gap_ns: int) -> None:
        self.now_ns += gap_ns
        for worker in self.dispatcher.hung_workers(self.now_ns):
            self.work.pop(worker, None)
            self.tell(self.dispatcher.on_worker_lost(worker, self.now_ns))
        for visitor in self.dispatcher.silent_visitors(self.now_ns):
            self.tell(self.dispatcher.on_reader_message(SourceEnded(visitor), self.now_ns))
        self.tell(self.dispatcher.redispatch_unacknowledged(self.now_ns))

    @rule(data=st.data(), draws=st.booleans())
    def composite_takes_a_message(self, data: st.DataObject, draws: bool) -> None:
        ways = [name for name, way in self.ways.items() if way.items]
        if ways:
            self.take(self.ways[data.draw(st.sampled_from(sorted(ways)))].items.popleft(), draws=draws)

    def take(self, item: object, *, draws: bool = True) -> None:
        assert not isinstance(item, EndOfRun)
        for due in self.resequencer.push(item):  # type: ignore[arg-type]
            if isinstance(due, SegmentedFrame | PropagatedFrame):
                frame = due.frame
                assert frame.seq > self.shown.get(frame.camera, -1), "in order, and once"
                self.shown[frame.camera] = frame.seq
                if draws:
                    self.drawn[frame.camera] += 1
                    self.words.append(Ack(frame.camera, frame.epoch, frame.seq))
                else:
                    self.lossless = False
                    self.words.append(Dropped(frame.camera, frame.epoch, frame.seq, "poison"))
            else:
                assert isinstance(due, StreamStart | Outage | EndOfStream)
                self.states[due.camera] = self._state_after(due)
                if isinstance(due, EndOfStream):
                    self.shown.pop(due.camera, None)
                    if due.camera in GUESTS:
                        del self.states[due.camera]

    def _state_after(self, event: StreamStart | Outage | EndOfStream) -> CameraState:
        """Refuse what is no transition, as of a camera that starts twice, unless something got lost before it."""
        state = self.states.get(event.camera, CameraState.OPENING)
        try:
            return after(state, event)
        except TransitionError:
            assert not self.composite_heard_all
            return state

    @rule()
    def a_word_to_composite_gets_lost(self) -> None:
        way = self.ways["dispatch"].items
        if way and isinstance(way[0], StreamStart | Dropped):
            way.popleft()
            self.lossless = self.composite_heard_all = False

    @rule(lost=st.booleans())
    def the_word_of_it_comes_back(self, lost: bool) -> None:
        if self.words:
            word = self.words.popleft()
            if lost:
                self.lossless = False
            elif isinstance(word, Ack):
                self.tell(self.dispatcher.on_ack(word, self.now_ns))
            else:
                self.tell(self.dispatcher.on_frame_failed(word, self.now_ns))

    # What holds.

    @invariant()
    def the_ledgers_balance(self) -> None:
        assert all(status.balances for status in [*self.dispatcher.status(self.now_ns), *self.left])
        assert all(status.in_flight == 0 for status in self.left)

    @invariant()
    def a_state_says_what_its_camera_is(self) -> None:
        for camera in self.dispatcher._cameras:
            watched = camera.demand.watched
            assert camera.state is not CameraState.UNWATCHED or not watched
            assert camera.state is not CameraState.LIVE or watched
            assert (camera.state is CameraState.OPENING) <= (camera.start is None)
            assert not camera.state.over or (camera.ending is not None and not camera.in_flight)
            assert camera.pending is None or camera.state is CameraState.LIVE

    @invariant()
    def a_file_loses_nothing(self) -> None:
        if self.dispatcher.failure is None and self.lossless:
            for status in self.dispatcher.status(self.now_ns):
                if status.mode == "file" and status.camera in RESIDENTS:
                    assert set(status.dropped) <= {"superseded"}

    def teardown(self) -> None:
        self.tell(self.dispatcher.stop())
        if not self.dispatcher.finished:
            self.tell(self.dispatcher.drop_in_flight())
        assert self.dispatcher.finished
        self.the_ledgers_balance()
        assert all(status.in_flight == 0 for status in self.dispatcher.status(self.now_ns))
        # And composite hears the end of all, wherever it stands.
        way = self.ways.pop("dispatch").items
        assert isinstance(way.pop(), EndOfRun)
        for item in way:
            self.take(item)
        # What it has heard leads where the dispatcher stands.
        assert not self.composite_heard_all or self.states == {
            status.camera: status.state for status in self.dispatcher.status(self.now_ns)
        }


TestRun = Run.TestCase
TestRun.settings = settings(max_examples=80, stateful_step_count=60, deadline=None)
