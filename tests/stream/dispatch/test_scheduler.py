"""The dispatcher hands frames out and accounts for every one of them."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from unittest.mock import patch

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from clothseg.network.box import Box
from stream.dispatch.camera import FILE_FRAMES_IN_FLIGHT, Outgoing
from stream.dispatch.latency_controller import LEVELS, Level
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
    PictureRequest,
    PropagatedFrame,
    SourceEnded,
    SourceLost,
    SourceOpened,
    StreamStart,
)
from stream.settings.pace import Pace
from stream.transport.camera_state import CameraState
from tests.stream.pictures import picture

SECOND_NS = 1_000_000_000


def dispatcher(mode: Mode, *cameras: str, deadline_ns: int = SECOND_NS) -> Scheduler:
    made = Scheduler([*cameras] or ["front"], deadline_ns)
    for camera in cameras or ("front",):
        made.on_reader_message(SourceOpened(camera, mode, "a source"), 0)
    return made


def offer(number: int, camera: str = "front", superseded: int = 0) -> NewPicture:
    return NewPicture(camera, picture(number), superseded)


def handed(orders: list[Outgoing]) -> list[tuple[str, int]]:
    """Which worker was handed which frame."""
    return [(order.name, order.message.seq) for order in orders if isinstance(order.message, Frame)]


def told(orders: list[Outgoing]) -> list[object]:
    """What composite was told."""
    return [order.message for order in orders if order.to == "composite"]


def asked(orders: list[Outgoing]) -> int:
    """How many pictures readers were asked for."""
    return sum(isinstance(order.message, PictureRequest) for order in orders)


class TestHandingOut:
    def test_a_frame_waits_until_a_worker_is_ready(self) -> None:
        machine = dispatcher("file")
        assert handed(machine.on_reader_message(offer(0), 0)) == []
        assert handed(machine.on_worker_ready("w.1", 0)) == [("w.1", 0)]

    def test_numbers_rise_by_one_over_the_workers(self) -> None:
        machine = dispatcher("file")
        machine.on_worker_ready("a.1", 0)
        machine.on_worker_ready("b.2", 0)
        assert handed(machine.on_reader_message(offer(0), 0)) == [("a.1", 0)]
        assert handed(machine.on_reader_message(offer(1), 0)) == [("b.2", 1)]

    def test_cameras_take_turns(self) -> None:
        machine = dispatcher("file", "left", "right")
        machine.on_reader_message(offer(0, "left"), 0)
        machine.on_reader_message(offer(0, "right"), 0)
        first = [o.message for o in machine.on_worker_ready("w.1", 0) if isinstance(o.message, Frame)]
        machine.on_reader_message(offer(1, "left"), 0)
        second = [o.message for o in machine.on_worker_ready("w.1", 0) if isinstance(o.message, Frame)]
        assert [first[0].camera, second[0].camera] == ["left", "right"]

    def test_an_idle_worker_that_says_ready_again_is_handed_one_frame_only(self) -> None:
        machine = dispatcher("file")
        machine.on_worker_ready("w.1", 0)
        machine.on_worker_ready("w.1", 0)
        assert handed(machine.on_reader_message(offer(0), 0)) == [("w.1", 0)]
        assert handed(machine.on_reader_message(offer(1), 0)) == []


class TestFile:
    def test_the_reader_is_asked_only_when_its_picture_was_handed_out(self) -> None:
        machine = dispatcher("file")
        assert asked(machine.on_reader_message(offer(0), 0)) == 0
        assert asked(machine.on_worker_ready("w.1", 0)) == 1

    def test_unacknowledged_frames_are_bounded(self) -> None:
        machine = dispatcher("file")
        count = 0
        for number in range(20):
            count += len(handed(machine.on_worker_ready("w.1", 0)))
            count += len(handed(machine.on_reader_message(offer(number), 0))) if number == count else 0
        assert count == FILE_FRAMES_IN_FLIGHT
        machine.on_worker_ready("w.1", 0)
        assert len(handed(machine.on_ack(Ack("front", 0, 0), 0))) == 1

    def test_a_lost_worker_costs_no_frame(self) -> None:
        machine = dispatcher("file")
        machine.on_worker_ready("a.1", 0)
        machine.on_reader_message(offer(0), 0)
        machine.on_reader_message(SourceEnded("front"), 0)
        assert told(machine.on_worker_lost("a.1", 0)) == []
        assert handed(machine.on_worker_ready("b.2", 0)) == [("b.2", 0)]

    def test_a_result_that_was_on_its_way_when_its_worker_died_is_made_again(self) -> None:
        machine = dispatcher("file")
        machine.on_worker_ready("a.1", 0)
        machine.on_reader_message(offer(0), 0)
        machine.on_worker_ready("a.1", 0)  # it has sent frame 0 on, and was killed before it had left
        machine.on_worker_lost("a.1", 0)
        assert handed(machine.on_worker_ready("a.2", 0)) == [("a.2", 0)]

    def test_a_restarted_worker_implies_that_the_old_one_is_dead(self) -> None:
        machine = dispatcher("file")
        machine.on_worker_ready("host-worker-0.100", 0)
        machine.on_reader_message(offer(0), 0)
        machine.on_reader_message(SourceEnded("front"), 0)
        assert handed(machine.on_worker_ready("host-worker-0.200", 0)) == [("host-worker-0.200", 0)]

    def test_a_frame_that_ends_every_worker_fails_the_run_and_is_named(self) -> None:
        machine = dispatcher("file")
        machine.on_reader_message(offer(7), 0)
        for worker in range(6):
            machine.on_worker_ready(f"a.{worker}", 0)
            machine.on_reader_message(SourceEnded("front"), 0)
            orders = machine.on_worker_lost(f"a.{worker}", 0)
        assert "frame 0 of front" in (machine.failure or "")
        assert Dropped("front", 0, 0, "poison") in told(orders)
        assert machine.finished

    def test_frames_delivered_before_a_death_are_not_blamed(self) -> None:
        machine = dispatcher("file")
        machine.on_worker_ready("a.1", 0)
        machine.on_reader_message(offer(0), 0)
        for death in range(2, 5):
            machine.on_worker_ready(f"a.{death}", 0)  # frame 0's result is sent on each time
            machine.on_worker_ready(f"a.{death}", 0)
            machine.on_worker_lost(f"a.{death}", 0)
        assert machine.failure is None

    def test_the_end_waits_for_the_last_frame(self) -> None:
        machine = dispatcher("file")
        machine.on_worker_ready("w.1", 0)
        machine.on_reader_message(offer(0), 0)
        assert told(machine.on_reader_message(SourceEnded("front"), 0)) == []
        assert told(machine.on_ack(Ack("front", 0, 0), 0)) == [EndOfStream("front", 0), EndOfRun()]

    def test_an_end_with_an_error_fails_the_run(self) -> None:
        machine = dispatcher("file")
        assert told(machine.on_reader_message(SourceEnded("front", "front: not a video"), 0))[0] == EndOfStream(
            "front", -1, "front: not a video"
        )
        assert machine.failure == "front: not a video"


class TestLive:
    def test_the_newest_picture_wins_and_the_older_gets_no_number(self) -> None:
        machine = dispatcher("live")
        machine.on_reader_message(offer(0), 0)
        machine.on_reader_message(offer(1), 0)
        [order] = [o for o in machine.on_worker_ready("w.1", 0) if isinstance(o.message, Frame)]
        assert isinstance(order.message, Frame)
        assert order.message.seq == 0
        assert order.message.picture.pts_ns == picture(1).pts_ns
        [status] = machine.status(0)
        assert status.dropped == {"superseded": 1}

    def test_the_reader_is_asked_again_at_once(self) -> None:
        machine = dispatcher("live")
        assert asked(machine.on_reader_message(offer(0), 0)) == 1

    def test_what_the_reader_overwrote_is_counted(self) -> None:
        machine = dispatcher("live")
        machine.on_reader_message(offer(9, superseded=4), 0)
        [status] = machine.status(0)
        assert (status.captured, status.dropped) == (5, {"superseded": 4})

    def test_at_most_one_frame_more_than_workers_is_in_flight(self) -> None:
        machine = dispatcher("live")
        for number in range(5):
            machine.on_worker_ready("w.1", 0)
            machine.on_reader_message(offer(number), 0)
        [status] = machine.status(0)
        assert status.in_flight - 1 == 2  # one waits, two are unacknowledged

    def test_a_lost_worker_costs_the_frame_it_held_by_reason(self) -> None:
        machine = dispatcher("live")
        machine.on_worker_ready("w.1", 0)
        machine.on_reader_message(offer(0), 0)
        assert told(machine.on_worker_lost("w.1", 0)) == [Dropped("front", 0, 0, "worker_lost")]

    def test_a_frame_that_ends_every_worker_is_dropped_as_poison(self) -> None:
        machine = dispatcher("live")
        machine.on_worker_ready("a.1", 0)
        machine.on_worker_ready("b.2", 0)
        machine.on_reader_message(offer(0), 0)
        assert handed(machine.on_worker_lost("a.1", 0)) == [("b.2", 0)]
        assert told(machine.on_worker_lost("b.2", 0)) == [Dropped("front", 0, 0, "poison")]
        assert machine.failure is None

    def test_a_worker_past_the_frame_deadline_is_hung(self) -> None:
        machine = dispatcher("live", deadline_ns=SECOND_NS)
        machine.on_worker_ready("w.1", 0)
        machine.on_reader_message(offer(0), 0)
        assert machine.hung_workers(SECOND_NS) == []
        assert machine.hung_workers(SECOND_NS + 1) == ["w.1"]

    def test_a_result_that_waits_for_a_slow_output_is_no_hang(self) -> None:
        machine = dispatcher("live")
        machine.on_worker_ready("w.1", 0)
        machine.on_reader_message(offer(0), 0)
        machine.on_worker_ready("w.1", 0)
        assert machine.hung_workers(10 * SECOND_NS) == []


def paced(*cameras: str) -> Scheduler:
    made = Scheduler([*cameras] or ["front"], SECOND_NS, pace=Pace(), can_propagate=True)
    for camera in cameras or ("front",):
        made.on_reader_message(SourceOpened(camera, "live", "a source"), 0)
    return made


def far(number: int) -> NewPicture:
    """A picture that is nothing like the one before."""
    return NewPicture("front", picture(number * 40))


def late_for_a_second() -> Scheduler:
    """One camera whose frames waited for the network and were 120 ms old, so that they go ahead from now on."""
    machine = paced()
    machine.on_worker_ready("w.1", 0)
    for number in range(32):
        now_ns = number * SECOND_NS // 30
        captured = dataclasses.replace(picture(number * 40), pts_ns=now_ns, captured_ns=now_ns)
        machine.on_reader_message(NewPicture("front", captured), now_ns)
        machine.on_ack(Ack("front", 0, number), now_ns + 120_000_000)
        machine.on_worker_ready("w.1", now_ns + 120_000_000)
    return machine


class TestPace:
    def test_while_the_worker_is_busy_a_propagated_frame_goes_to_composite(self) -> None:
        machine = paced()
        machine.on_worker_ready("w.1", 0)
        assert handed(machine.on_reader_message(far(0), 0)) == [("w.1", 0)]
        close = NewPicture("front", dataclasses.replace(picture(40), pts_ns=40_000_000))
        [carried] = told(machine.on_reader_message(close, 0))
        assert isinstance(carried, PropagatedFrame)
        assert (carried.frame.seq, carried.how) == (1, "warped")

    def test_a_still_scene_needs_no_worker(self) -> None:
        machine = paced()
        machine.on_worker_ready("w.1", 0)
        machine.on_reader_message(offer(0), 0)
        machine.on_worker_ready("w.1", 0)
        [carried] = told(machine.on_reader_message(offer(1), 0))
        assert isinstance(carried, PropagatedFrame)
        assert carried.how == "still"
        machine.on_ack(Ack("front", 0, 0), 0)
        machine.on_ack(Ack("front", 0, 1), 0)
        [status] = machine.status(0)
        assert status.mask_sources == {"network": 1, "still": 1}

    def test_where_frames_come_too_late_they_go_ahead_and_a_worker_makes_their_masks_alone(self) -> None:
        machine = late_for_a_second()
        seen, shown = [], []
        for number in range(6):
            next_one = dataclasses.replace(picture(number * 40), pts_ns=2 * SECOND_NS + number * 33_000_000)
            orders = machine.on_reader_message(NewPicture("front", next_one), 2 * SECOND_NS)
            seen += [order.message for order in orders if order.to == "worker"]
            shown += [(item.frame.seq, item.how) for item in told(orders) if isinstance(item, PropagatedFrame)]
            machine.on_ack(Ack("front", 0, shown[-1][0]), 2 * SECOND_NS)
            if number == 2:
                machine.on_worker_ready("w.1", 2 * SECOND_NS)
        assert [how for _, how in shown] == ["ahead", "warped", "warped", "ahead", "warped", "warped"]
        frames = [item for item in seen if isinstance(item, Frame)]
        assert [(item.seq, item.reply) for item in frames] == [(shown[0][0], "masks"), (shown[3][0], "masks")]

    def test_a_worker_that_dies_with_the_masks_of_a_frame_that_went_ahead_costs_no_frame(self) -> None:
        machine = late_for_a_second()
        [carried] = told(machine.on_reader_message(far(40), 2 * SECOND_NS))
        assert isinstance(carried, PropagatedFrame)
        assert machine.on_worker_lost("w.1", 2 * SECOND_NS) == []
        machine.on_ack(Ack("front", 0, carried.frame.seq), 2 * SECOND_NS)
        [status] = machine.status(2 * SECOND_NS)
        assert status.dropped == {}
        assert status.balances

    def test_a_worker_that_hangs_over_a_frame_that_went_ahead_is_named_though_the_frame_is_done(self) -> None:
        machine = late_for_a_second()
        [carried] = told(machine.on_reader_message(far(40), 2 * SECOND_NS))
        assert isinstance(carried, PropagatedFrame)
        machine.on_ack(Ack("front", 0, carried.frame.seq), 2 * SECOND_NS)
        assert machine.hung_workers(3 * SECOND_NS + 1) == ["w.1"]

    def test_what_was_to_go_on_from_a_lost_frame_is_given_up_before_it(self) -> None:
        machine = paced()
        machine.on_worker_ready("w.1", 0)
        machine.on_reader_message(offer(0), 0)
        machine.on_reader_message(offer(1), 0)
        dropped = told(machine.on_worker_lost("w.1", 0))
        assert dropped == [Dropped("front", 0, 1, "worker_lost"), Dropped("front", 0, 0, "worker_lost")]
        assert handed(machine.on_worker_ready("w.2", 0) + machine.on_reader_message(offer(2), 0)) == [("w.2", 2)]

    def test_what_is_abandoned_is_accounted_for_once(self) -> None:
        machine = paced()
        machine.on_worker_ready("w.1", 0)
        machine.on_reader_message(offer(0), 0)
        machine.on_reader_message(offer(1), 0)
        machine.stop()
        machine.drop_in_flight()
        [status] = machine.status(0)
        assert (status.dropped, status.balances, machine.finished) == ({"stopped": 2}, True, True)

    def test_a_file_is_segmented_frame_by_frame(self) -> None:
        machine = Scheduler(["front"], SECOND_NS, pace=Pace(), can_propagate=True)
        machine.on_reader_message(SourceOpened("front", "file", "a source"), 0)
        for number in range(4):
            machine.on_worker_ready("w.1", 0)
            assert handed(machine.on_reader_message(offer(0), 0)) == [("w.1", number)]


class TestRegion:
    LEFT, RIGHT = Box(0, 0, 0.4, 1), Box(0.6, 0, 1, 1)

    def boxes(self, machine: Scheduler, frames: int, seen: Sequence[Box | None]) -> list[Box | None]:
        """Where the network is told to look in each frame, when `seen` is what was found in them."""
        looks: list[Box | None] = []
        for number in range(frames):
            orders = machine.on_worker_ready("w.1", 0) + machine.on_reader_message(offer(number), 0)
            looks += [order.message.box for order in orders if isinstance(order.message, Frame)]
            machine.on_ack(Ack("front", 0, number, seen[number]), 0)
        return looks

    def test_in_a_file_it_looks_where_people_were_eight_frames_before(self) -> None:
        seen = [self.LEFT, self.LEFT, self.RIGHT, None, *[self.LEFT] * 12]
        looks = self.boxes(dispatcher("file"), 12, seen)
        assert looks[:8] == [None] * 8
        assert looks[8:] == [None, self.LEFT, self.RIGHT, None]  # every eighth frame is seen whole

    def test_live_it_looks_where_they_were_last(self) -> None:
        looks = self.boxes(dispatcher("live"), 4, [self.LEFT, self.RIGHT, None, self.LEFT])
        assert looks == [None, self.LEFT, self.RIGHT, None]

    def test_a_source_that_was_opened_anew_is_seen_whole(self) -> None:
        machine = dispatcher("live")
        self.boxes(machine, 2, [self.LEFT] * 2)
        machine.on_reader_message(SourceOpened("front", "live", "a source"), 0)
        [frame] = [
            o.message
            for o in machine.on_worker_ready("w.1", 0) + machine.on_reader_message(offer(2), 0)
            if o.to == "worker"
        ]
        assert isinstance(frame, Frame)
        assert frame.box is None


class TestUnwatched:
    def test_an_unwatched_camera_gets_no_picture_request(self) -> None:
        machine = paced()
        machine.on_worker_ready("w.1", 0)
        machine.on_demand_changed(DemandChanged("front", watched=False))
        assert machine.on_reader_message(offer(0), 0) == []  # it had been asked for before
        [status] = machine.status(0)
        assert (status.state, status.dropped) == (CameraState.UNWATCHED, {"unwatched": 1})

    def test_demand_resumes_requests_and_pictures_overwritten_meanwhile_count_as_unwatched(self) -> None:
        machine = paced()
        machine.on_worker_ready("w.1", 0)
        machine.on_demand_changed(DemandChanged("front", watched=False))
        machine.on_reader_message(offer(0), 0)
        assert asked(machine.on_demand_changed(DemandChanged("front", watched=True))) == 1
        assert asked(machine.on_demand_changed(DemandChanged("front", watched=True))) == 0
        assert handed(machine.on_reader_message(offer(9, superseded=8), 0)) == [("w.1", 0)]
        [status] = machine.status(0)
        assert (status.state, status.dropped) == (CameraState.LIVE, {"unwatched": 9})

    def test_a_file_goes_on_all_the_same(self) -> None:
        machine = dispatcher("file")
        machine.on_worker_ready("w.1", 0)
        machine.on_demand_changed(DemandChanged("front", watched=False))
        assert handed(machine.on_reader_message(offer(0), 0)) == [("w.1", 0)]


class TestReconnect:
    def test_an_outage_is_reported_and_the_return_starts_a_new_epoch(self) -> None:
        machine = dispatcher("live")
        machine.on_worker_ready("w.1", 0)
        machine.on_reader_message(offer(0), 0)
        assert told(machine.on_reader_message(SourceLost("front", "gone"), 0)) == [Outage("front", 0, "gone")]
        [start] = told(machine.on_reader_message(SourceOpened("front", "live", "a source"), 0))
        assert isinstance(start, StreamStart)
        assert (start.epoch, start.first_seq) == (1, 1)

    def test_timestamps_keep_rising_when_the_source_starts_at_zero_again(self) -> None:
        machine = dispatcher("live")
        machine.on_worker_ready("w.1", 0)
        machine.on_reader_message(offer(50), 0)
        machine.on_worker_ready("w.1", 0)
        machine.on_reader_message(SourceLost("front", "gone"), 0)
        machine.on_reader_message(SourceOpened("front", "live", "a source"), 0)
        [order] = [o for o in machine.on_reader_message(offer(0), 0) if isinstance(o.message, Frame)]
        assert isinstance(order.message, Frame)
        assert order.message.picture.pts_ns > picture(50).pts_ns

    def test_a_reader_replaced_silently_is_an_outage_too(self) -> None:
        machine = dispatcher("live")
        kinds = [type(item) for item in told(machine.on_reader_message(SourceOpened("front", "live", "a source"), 0))]
        assert kinds == [Outage, StreamStart]


class TestStop:
    def test_frames_in_flight_are_still_delivered(self) -> None:
        machine = dispatcher("file")
        machine.on_worker_ready("w.1", 0)
        machine.on_reader_message(offer(0), 0)
        machine.on_reader_message(offer(1), 0)
        assert told(machine.stop()) == []
        [end, finished] = told(machine.on_ack(Ack("front", 0, 0), 0))
        assert end == EndOfStream("front", 0, interrupted=True)
        assert finished == EndOfRun()
        [status] = machine.status(0)
        assert (status.delivered, status.dropped, status.state) == (1, {"stopped": 1}, CameraState.STOPPED)

    def test_a_source_that_had_ended_is_not_interrupted(self) -> None:
        machine = dispatcher("file", "a", "b")
        machine.on_reader_message(SourceEnded("a"), 0)
        machine.stop()
        assert [status.state for status in machine.status(0)] == [CameraState.ENDED, CameraState.STOPPED]


class TestStrangers:
    @pytest.mark.parametrize("item", [offer(0, "nobody"), SourceEnded("nobody"), SourceOpened("nobody", "live", "x")])
    def test_an_unknown_camera_is_not_listened_to(self, item: NewPicture | SourceEnded | SourceOpened) -> None:
        assert dispatcher("live").on_reader_message(item, 0) == []

    def test_an_unknown_ack_changes_nothing(self) -> None:
        machine = dispatcher("live")
        assert machine.on_ack(Ack("front", 0, 77), 0) == []


ACTIONS = st.lists(
    st.sampled_from(
        [
            "offer-a",
            "offer-b",
            "watch-a",
            "leave-a",
            "ready-x",
            "ready-y",
            "lost-x",
            "lost-y",
            "done-a",
            "done-b",
            "lose-a",
            "open-a",
        ]
    ),
    max_size=80,
)


MOVING = Pace(still_levels=0)


@pytest.mark.parametrize(
    ("mode", "pace", "levels"),
    [("live", None, LEVELS), ("live", Pace(), LEVELS), ("live", MOVING, LEVELS[1:]), ("file", Pace(), LEVELS)],
    ids=["unpaced", "paced", "ahead", "file"],
)
@given(actions=ACTIONS)
@settings(max_examples=150, deadline=None)
def test_the_ledger_balances_whatever_happens(
    mode: Mode, pace: Pace | None, levels: tuple[Level, ...], actions: list[str]
) -> None:
    with patch("stream.dispatch.latency_controller.LEVELS", levels):
        hold_to_account(mode, pace, actions)


def hold_to_account(mode: Mode, pace: Pace | None, actions: list[str]) -> None:  # noqa: PLR0912 (one arm an action)
    machine = Scheduler(["a", "b"], SECOND_NS, pace=pace, can_propagate=True)
    for camera in ("a", "b"):
        machine.on_reader_message(SourceOpened(camera, mode, "a source"), 0)
    incarnation = {"x": 0, "y": 0}
    under_way: dict[str, list[Frame]] = {"a": [], "b": []}
    for number, action in enumerate(actions):
        kind, _, who = action.partition("-")
        orders: list[Outgoing] = []
        if kind == "offer":
            orders = machine.on_reader_message(offer(number, who), number)
        elif kind == "ready":
            orders = machine.on_worker_ready(f"{who}.{incarnation[who]}", number)
        elif kind == "lost":
            orders = machine.on_worker_lost(f"{who}.{incarnation[who]}", number)
            incarnation[who] += 1
        elif kind == "done" and under_way[who]:
            frame = under_way[who].pop(0)
            orders = machine.on_ack(Ack(who, frame.epoch, frame.seq), number)
        elif kind in ("watch", "leave"):
            orders = machine.on_demand_changed(DemandChanged(who, watched=kind == "watch"))
        elif kind == "lose":
            orders = machine.on_reader_message(SourceLost(who, "gone"), number)
        elif kind == "open":
            orders = machine.on_reader_message(SourceOpened(who, mode, "a source"), number)
        for order in orders:
            if isinstance(order.message, Frame | PropagatedFrame):
                frame = order.message if isinstance(order.message, Frame) else order.message.frame
                under_way[frame.camera].append(frame)
        if mode == "file" and machine.failure is None:
            assert all(set(status.dropped) <= {"superseded"} for status in machine.status(number))
        assert all(status.balances for status in machine.status(number))
    machine.stop()
    for camera, frames in under_way.items():
        for frame in frames:
            machine.on_ack(Ack(camera, frame.epoch, frame.seq), len(actions))
    if all(status.in_flight == 0 for status in machine.status(0)):
        assert machine.finished
