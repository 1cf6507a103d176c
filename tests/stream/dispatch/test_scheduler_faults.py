"""Whatever peers do, or no longer do, the dispatcher goes on and every frame is accounted for."""

from __future__ import annotations

import dataclasses

from stream.dispatch.camera import FILE_FRAMES_IN_FLIGHT
from stream.dispatch.scheduler import Outgoing, Scheduler
from stream.message import Ack, Dropped, EndOfRun, EndOfStream, Frame, NewPicture, SourceEnded, SourceOpened
from tests.stream.pictures import picture

SECOND_NS = 1_000_000_000


def opened(mode: str, *cameras: str, visitors: int = 0) -> Scheduler:
    machine = Scheduler([] if visitors else [*cameras], SECOND_NS, visitors)
    for camera in cameras:
        machine.on_reader_message(SourceOpened(camera, "file" if mode == "file" else "live", "a source"), 0)
    return machine


def offer(number: int, camera: str = "front") -> NewPicture:
    return NewPicture(camera, picture(number))


def handed(orders: list[Outgoing]) -> list[tuple[str, int]]:
    return [(order.name, order.message.seq) for order in orders if isinstance(order.message, Frame)]


def told(orders: list[Outgoing]) -> list[object]:
    return [order.message for order in orders if order.to == "composite"]


def finish_one(machine: Scheduler, worker: str, seq: int) -> list[Outgoing]:
    """A worker makes the masks of a frame, and the outputs take it."""
    return machine.on_worker_ready(worker, 0) + machine.on_ack(Ack("front", 0, seq), 0)


class TestGuests:
    def test_a_guest_who_left_while_the_worker_with_his_picture_dies_ends_nothing(self) -> None:
        machine = opened("live", "first", "second", visitors=2)
        machine.on_worker_ready("w.1", 0)
        machine.on_reader_message(offer(0, "first"), 0)
        machine.on_reader_message(SourceEnded("first"), 0)
        orders = machine.on_worker_lost("w.1", 0)
        assert told(orders) == [Dropped("first", 0, 0, "worker_lost"), EndOfStream("first", 0)]
        assert [status.camera for status in machine.status(0)] == ["second"]


class TestNonsense:
    def test_a_picture_offered_before_its_source_was_opened_is_not_taken(self) -> None:
        machine = Scheduler(["front"], SECOND_NS)
        machine.on_worker_ready("w.1", 0)
        assert machine.on_reader_message(offer(0), 0) == []
        machine.on_reader_message(SourceOpened("front", "live", "a source"), 0)
        assert handed(machine.on_reader_message(offer(1), 0)) == [("w.1", 0)]
        [status] = machine.status(0)
        assert status.captured == 1

    def test_a_picture_offered_after_its_source_was_lost_is_not_taken(self) -> None:
        machine = opened("live", "front")
        machine.on_reader_message(SourceEnded("front"), 0)
        assert machine.on_reader_message(offer(0), 0) == []

    def test_a_picture_whose_number_would_be_none_is_dropped_by_reason(self) -> None:
        machine = opened("live", "front")
        machine.on_worker_ready("w.1", 0)
        machine.on_reader_message(NewPicture("front", dataclasses.replace(picture(0), captured_ns=2**62)), 0)
        machine.on_ack(Ack("front", 0, 0), 0)
        [status] = machine.status(0)
        assert status.balances

    def test_the_same_end_twice_is_no_news(self) -> None:
        machine = opened("live", "front", "side")
        assert told(machine.on_reader_message(SourceEnded("front"), 0)) == [EndOfStream("front", -1)]
        assert machine.on_reader_message(SourceEnded("front"), 0) == []

    def test_a_late_word_of_a_dead_worker_does_not_bring_it_back(self) -> None:
        machine = opened("file", "front")
        machine.on_worker_ready("host-worker-0.100", 0)
        machine.on_worker_exited("host-worker-0.100", 0)
        assert machine.on_worker_ready("host-worker-0.100", 0) == []
        assert machine.on_reader_message(offer(0), 0) == []
        assert handed(machine.on_worker_ready("host-worker-0.200", 0)) == [("host-worker-0.200", 0)]

    def test_a_late_word_of_a_worker_that_was_replaced_does_not_end_the_new_one(self) -> None:
        machine = opened("file", "front")
        machine.on_worker_ready("host-worker-0.100", 0)
        machine.on_worker_ready("host-worker-0.200", 0)
        machine.on_reader_message(offer(0), 0)
        assert machine.on_worker_ready("host-worker-0.100", 0) == []


class TestFramesLostOnTheirWayToAWorker:
    def test_of_a_file_go_out_again_and_blame_nobody(self) -> None:
        machine = opened("file", "front")
        machine.on_worker_ready("w.1", 0)
        assert handed(machine.on_reader_message(offer(0), 0)) == [("w.1", 0)]
        for _ in range(20):
            assert machine.on_frame_undelivered("w.1") == []
            assert handed(machine.on_worker_ready("w.1", 0)) == [("w.1", 0)]
        finish_one(machine, "w.1", 0)
        [status] = machine.status(0)
        assert (status.delivered, status.dropped, machine.failure) == (1, {}, None)

    def test_of_a_live_camera_are_too_old_and_the_next_goes_out(self) -> None:
        machine = opened("live", "front")
        machine.on_worker_ready("w.1", 0)
        machine.on_reader_message(offer(0), 0)
        machine.on_reader_message(offer(1), 0)
        assert told(machine.on_frame_undelivered("w.1")) == [Dropped("front", 0, 0, "worker_lost")]
        assert handed(machine.on_worker_ready("w.1", 0)) == [("w.1", 1)]

    def test_that_were_given_to_another_meanwhile_stay_with_it(self) -> None:
        machine = opened("file", "front")
        machine.on_worker_ready("a.1", 0)
        machine.on_reader_message(offer(0), 0)
        machine.on_reader_message(SourceEnded("front"), 0)
        machine.on_worker_ready("b.1", 0)
        assert handed(machine.on_worker_lost("a.1", 0)) == [("b.1", 0)]
        assert machine.on_frame_undelivered("a.1") == []
        assert handed(machine.on_worker_ready("a.1", 0)) == []


class TestFramesThatCannotBeDrawn:
    def test_are_dropped_as_poison_and_the_camera_goes_on(self) -> None:
        machine = opened("live", "front")
        machine.on_worker_ready("w.1", 0)
        machine.on_reader_message(offer(0), 0)
        machine.on_worker_ready("w.1", 0)
        dropped = Dropped("front", 0, 0, "poison")
        assert told(machine.on_frame_failed(dropped, 0)) == [dropped]
        [status] = machine.status(0)
        assert (status.dropped, status.balances, machine.failure) == ({"poison": 1}, True, None)
        assert handed(machine.on_reader_message(offer(1), 0)) == [("w.1", 1)]

    def test_of_a_file_let_the_rest_through_and_fail_the_run_at_its_end(self) -> None:
        machine = opened("file", "front")
        machine.on_worker_ready("w.1", 0)
        machine.on_reader_message(offer(0), 0)
        machine.on_worker_ready("w.1", 0)
        machine.on_frame_failed(Dropped("front", 0, 0, "poison"), 0)
        assert handed(machine.on_reader_message(offer(1), 0)) == [("w.1", 1)]
        machine.on_reader_message(SourceEnded("front"), 0)
        assert told(machine.on_ack(Ack("front", 0, 1), 0)) == [EndOfStream("front", 1), EndOfRun()]
        assert "frame 0 of front could not be drawn" in (machine.failure or "")

    def test_that_nobody_knows_are_no_news(self) -> None:
        machine = opened("live", "front")
        assert machine.on_frame_failed(Dropped("front", 0, 7, "poison"), 0) == []
        assert machine.on_frame_failed(Dropped("nobody", 0, 7, "poison"), 0) == []


class TestSuspects:
    """Of a file, a frame that was with a worker as it died is tried again last, and alone."""

    def test_are_tried_after_the_frames_that_can_go_before_them(self) -> None:
        machine = opened("file", "front")
        machine.on_worker_ready("a.1", 0)
        machine.on_reader_message(offer(0), 0)
        machine.on_worker_exited("a.1", 0)
        machine.on_reader_message(offer(1), 0)
        assert handed(machine.on_worker_ready("b.2", 0)) == [("b.2", 1)]

    def test_wait_until_no_other_frame_is_with_a_worker_and_go_to_one_that_has_worked(self) -> None:
        machine = opened("file", "front")
        machine.on_worker_ready("b.2", 0)
        for seq in range(2):
            machine.on_reader_message(offer(seq), 0)
            finish_one(machine, "b.2", seq)
        assert handed(machine.on_reader_message(offer(2), 0)) == [("b.2", 2)]
        machine.on_worker_ready("a.1", 0)
        assert handed(machine.on_reader_message(offer(3), 0)) == [("a.1", 3)]
        machine.on_reader_message(SourceEnded("front"), 0)
        machine.on_worker_exited("a.1", 0)
        assert handed(machine.on_worker_ready("c.3", 0)) == []  # frame 2 is with b
        assert handed(machine.on_worker_ready("b.2", 0)) == [("b.2", 3)]

    def test_are_alone_with_a_worker(self) -> None:
        machine = opened("file", "front", "side")
        machine.on_worker_ready("a.1", 0)
        machine.on_reader_message(offer(0), 0)
        machine.on_reader_message(SourceEnded("front"), 0)
        machine.on_worker_exited("a.1", 0)
        machine.on_worker_ready("b.2", 0)
        machine.on_worker_ready("c.3", 0)
        assert handed(machine.on_reader_message(offer(0, "side"), 0)) == []
        assert handed(machine.on_worker_ready("b.2", 0)) == [("c.3", 0)]

    def test_are_not_waited_for_by_others_for_ever(self) -> None:
        machine = opened("file", "front", "side")
        machine.on_worker_ready("a.1", 0)
        machine.on_worker_ready("b.2", 0)
        machine.on_reader_message(offer(0), 0)
        machine.on_reader_message(SourceEnded("front"), 0)
        machine.on_reader_message(offer(0, "side"), 0)
        machine.on_worker_exited("a.1", 0)
        machine.on_reader_message(offer(1, "side"), 0)
        tried = machine.on_worker_ready("b.2", 0)
        [frame] = [order.message for order in tried if isinstance(order.message, Frame)]
        assert frame.camera == "front"

    def test_are_not_blamed_for_workers_that_had_not_finished_any_frame(self) -> None:
        machine = opened("file", "front")
        for death in range(4):
            machine.on_worker_ready(f"a.{death}", 0)
            machine.on_reader_message(offer(0), 0) if death == 0 else None
            machine.on_reader_message(SourceEnded("front"), 0)
            machine.on_worker_exited(f"a.{death}", 0)
        assert machine.failure is None

    def test_are_blamed_in_the_end_also_where_no_worker_ever_finishes_one(self) -> None:
        machine = opened("file", "front")
        machine.on_reader_message(offer(0), 0)
        machine.on_reader_message(SourceEnded("front"), 0)
        for death in range(20):
            machine.on_worker_ready(f"a.{death}", 0)
            machine.on_worker_exited(f"a.{death}", 0)
        assert "frame 0 of front" in (machine.failure or "")

    def test_are_blamed_after_three_workers_that_had_worked(self) -> None:
        machine = opened("file", "front")
        for worker in ("a.1", "b.2", "c.3"):
            machine.on_worker_ready(worker, 0)
        for seq in range(6):  # two for each
            [(worker, _)] = handed(machine.on_reader_message(offer(seq), 0))
            finish_one(machine, worker, seq)
        [(worker, _)] = handed(machine.on_reader_message(offer(6), 0))
        machine.on_reader_message(SourceEnded("front"), 0)
        for _ in range(2):
            assert machine.failure is None
            [(worker, _)] = handed(machine.on_worker_exited(worker, 0))
        machine.on_worker_exited(worker, 0)
        assert "frame 6 of front" in (machine.failure or "")

    def test_of_a_run_that_fails_nothing_after_the_named_frame_is_let_through(self) -> None:
        machine = opened("file", "front")
        machine.on_reader_message(offer(0), 0)
        machine.on_worker_ready("a.0", 0)
        machine.on_worker_exited("a.0", 0)
        for seq in range(1, FILE_FRAMES_IN_FLIGHT):
            machine.on_worker_ready("b.0", 0)
            machine.on_reader_message(offer(seq), 0)
        machine.on_worker_ready("b.0", 0)  # the rest is made; frame 0 is alone
        orders: list[Outgoing] = []
        for death in range(20):
            orders += machine.on_worker_exited(f"b.{death}", 0) + machine.on_worker_ready(f"b.{death + 1}", 0)
        dropped = [item.seq for item in told(orders) if isinstance(item, Dropped)]
        assert dropped == sorted(dropped, reverse=True)
        assert dropped[-1] == 0
        assert machine.finished


class TestNothingIsDone:
    """Frames are out, and no word comes back: the way to composite or back from it is broken."""

    def test_frames_of_a_file_go_out_again(self) -> None:
        machine = opened("file", "front")
        machine.on_worker_ready("w.1", 0)
        machine.on_reader_message(offer(0), 0)
        machine.on_worker_ready("w.1", 0)
        assert machine.unacknowledged_count(SECOND_NS) == 0
        assert machine.unacknowledged_count(SECOND_NS + 1) == 1
        assert handed(machine.redispatch_unacknowledged(SECOND_NS + 1)) == [("w.1", 0)]
        assert machine.unacknowledged_count(SECOND_NS + 2) == 0

    def test_live_frames_are_given_up(self) -> None:
        machine = opened("live", "front")
        machine.on_worker_ready("w.1", 0)
        machine.on_reader_message(offer(0), 0)
        machine.on_worker_ready("w.1", 0)
        assert told(machine.redispatch_unacknowledged(SECOND_NS + 1)) == [Dropped("front", 0, 0, "unanswered")]

    def test_a_frame_that_a_worker_is_still_at_is_not_meant(self) -> None:
        machine = opened("file", "front")
        machine.on_worker_ready("w.1", 0)
        machine.on_reader_message(offer(0), 0)
        assert machine.unacknowledged_count(9 * SECOND_NS) == 0

    def test_slow_outputs_are_not_meant_while_they_take_any_frame(self) -> None:
        machine = opened("file", "front")
        for seq in range(4):
            machine.on_worker_ready("w.1", 0)
            machine.on_reader_message(offer(seq), 0)
        machine.on_worker_ready("w.1", 0)
        machine.on_ack(Ack("front", 0, 0), 2 * SECOND_NS)
        assert machine.unacknowledged_count(3 * SECOND_NS) == 0
