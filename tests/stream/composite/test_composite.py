"""Composite turns segmented frames into everything an output may want, one small past per camera."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
import pytest

from clothseg.classes import USUAL, ClassEntry, class_map
from clothseg.labels import DRESS, PALETTE, TOP
from clothseg.network.box import Box
from stream.composite.composite import AcknowledgingSink, CompositeInput, colourise_parts, step
from stream.composite.demand import DemandTracker
from stream.message import (
    Ack,
    CompositedFrame,
    Dropped,
    EndOfRun,
    LateMasks,
    Outage,
    PropagatedFrame,
    SegmentedFrame,
    StreamStart,
)
from stream.settings.config import Run
from stream.settings.parse import parse
from stream.sinks.tee import Tee
from stream.sources.synthetic import figure
from stream.stage import ListSink
from tests.stream.pictures import CLASSES, composited, frame

START = StreamStart("front", 0, 0, "file", "a source")
SIZE_PX = (160, 96)


def settings(**groups: Any) -> Run:
    return parse({"cameras": {"front": {"source": "synthetic:"}}, **groups})


def segmented(seq: int, camera: str = "front") -> SegmentedFrame:
    """A frame of the drawn scene with its own truth as probabilities."""
    pts_ns = seq * 33_333_333
    pixels, parts = figure(pts_ns, SIZE_PX)
    planes = np.stack([(parts == index).astype(np.uint8) * 255 for index in range(len(CLASSES))])
    made = frame(seq, camera)
    picture = dataclasses.replace(made.picture, pixels=pixels, pts_ns=pts_ns)
    return SegmentedFrame(dataclasses.replace(made, picture=picture), USUAL, planes)


def frames(items: list[Any], run: Run) -> list[CompositedFrame]:
    composite = step(run, print)
    return [out for item in items for out in composite(item) if isinstance(out, CompositedFrame)]


def test_masks_come_out_at_full_size_and_true() -> None:
    [made] = frames([segmented(0)], settings())
    _, parts = figure(0, SIZE_PX)
    assert made.parts.shape == parts.shape
    assert (made.parts == parts).mean() > 0.97
    assert ((made.alpha > 127) == (parts > 0)).mean() > 0.98


def test_events_pass_through_in_order() -> None:
    composite = step(settings(), print)
    assert list(composite(START)) == [START]
    outage = Outage("front", 3, "gone")
    assert list(composite(outage)) == [outage]


def test_a_new_epoch_forgets_the_past() -> None:
    fresh = frames([segmented(9)], settings())[0]
    after_past = frames([START, segmented(0), segmented(9)], settings())[-1]
    after_news = frames([START, segmented(0), START, segmented(9)], settings())[-1]
    assert np.array_equal(after_news.probabilities, fresh.probabilities)
    assert not np.array_equal(after_past.probabilities, fresh.probabilities)


def test_cameras_do_not_share_a_past() -> None:
    alone = frames([segmented(0), segmented(9)], settings())[-1]
    mixed = frames([segmented(0), segmented(0, "side"), segmented(5, "side"), segmented(9)], settings())[-1]
    assert np.array_equal(alone.probabilities, mixed.probabilities)
    assert np.array_equal(alone.alpha, mixed.alpha)


def test_a_still_frame_reuses_the_masks_on_its_own_picture() -> None:
    first = segmented(0)
    later = dataclasses.replace(segmented(1).frame, picture=segmented(0).frame.picture)
    brighter = dataclasses.replace(later.picture, pixels=later.picture.pixels + 1, pts_ns=50_000_000)
    still = PropagatedFrame(dataclasses.replace(later, picture=brighter), "still")
    seen, kept = frames([START, first, still], settings())
    assert (seen.mask_age_ns, kept.mask_age_ns) == (0, 50_000_000)
    assert np.array_equal(kept.alpha, seen.alpha)
    inside = kept.alpha == 255
    assert np.array_equal(kept.foreground[inside], brighter.pixels[inside])
    edge = (kept.alpha > 0) & (kept.alpha < 255)
    assert np.array_equal(kept.foreground[edge], seen.foreground[edge])


def test_a_warped_frame_propagates_the_masks_before_it() -> None:
    items = [segmented(seq) for seq in range(0, 12, 2)]
    moved = PropagatedFrame(segmented(11).frame, "warped")
    made = frames([START, *items, moved], settings())
    _, truth = figure(moved.frame.picture.pts_ns, SIZE_PX)
    late, carried = ((out.alpha > 127) == (truth > 0) for out in made[-2:])
    assert carried.mean() >= late.mean()
    assert made[-1].mask_age_ns == moved.frame.picture.pts_ns - items[-1].frame.picture.pts_ns


TWO = class_map(["background", "person"])
MANY = class_map(["background", *(ClassEntry(f"a{number}", "person") for number in range(40))])


class TestFramesThatCannotBeDrawn:
    """One frame, however odd, ends no other: it is dropped, and the cause is told once."""

    @staticmethod
    def nonsense(seq: int, kind: str) -> CompositeInput:
        """What somebody may send who knows how messages are written."""
        made = segmented(seq)
        planes, shown = made.probabilities, made.frame.picture

        def with_picture(**changes: Any) -> SegmentedFrame:
            picture = dataclasses.replace(shown, **changes)
            return dataclasses.replace(made, frame=dataclasses.replace(made.frame, picture=picture))

        def with_masks(*shape: int) -> SegmentedFrame:
            return SegmentedFrame(made.frame, USUAL, np.zeros((len(USUAL.names), *shape), np.uint8))

        sent: dict[str, CompositeInput] = {
            "fewer classes": SegmentedFrame(made.frame, TWO, planes[:2]),
            "many classes": SegmentedFrame(made.frame, MANY, np.repeat(planes, 9, axis=0)[: len(MANY.names)]),
            "masks of another size": with_masks(3, 500),
            "masks of one pixel": with_masks(1, 1),
            "a picture of one pixel": with_picture(pixels=shown.pixels[:1, :1]),
            "masks before it": PropagatedFrame(made.frame, "warped"),
            "a time of long ago": with_picture(pts_ns=-(2**62)),
            "late masks of another size": LateMasks("front", seq, USUAL, np.zeros((len(USUAL.names), 9, 7), np.uint8)),
            "late masks of fewer classes": LateMasks("front", seq, TWO, np.zeros((2, 9, 7), np.uint8)),
        }
        return sent[kind]

    KINDS = (
        "fewer classes",
        "many classes",
        "masks of another size",
        "masks of one pixel",
        "a picture of one pixel",
        "masks before it",
        "a time of long ago",
        "late masks of another size",
        "late masks of fewer classes",
    )

    @pytest.mark.parametrize("kind", KINDS)
    @pytest.mark.parametrize("effect", [None, "background_blur"])
    def test_every_frame_is_drawn_or_dropped_and_the_camera_goes_on(self, kind: str, effect: str | None) -> None:
        run = settings(**({"effects": [{"effect": effect}]} if effect else {}))
        ahead = PropagatedFrame(segmented(1).frame, "ahead")
        items: list[Any] = [START, segmented(0), ahead]
        items += [self.nonsense(1, kind), self.nonsense(2, kind), segmented(3), segmented(4)]
        composite = step(run, print)
        made = [out for item in items for out in composite(item)]
        assert isinstance(made[-1], CompositedFrame)
        assert made[-1].frame.seq == 4
        expected = sum(not isinstance(item, LateMasks) for item in items)
        assert len(made) == expected
        _, truth = figure(made[-1].frame.picture.pts_ns, SIZE_PX)
        assert ((made[-1].alpha > 127) == (truth > 0)).mean() > 0.9

    def test_their_cause_is_told_once(self) -> None:
        told: list[str] = []
        composite = step(settings(), told.append)
        for seq in range(3):
            [dropped] = composite(self.nonsense(seq, "masks before it"))
            assert dropped == Dropped("front", 0, seq, "poison")
        assert len(told) == 1
        assert "front: frame 0 cannot be drawn" in told[0]
        assert "there are none" in told[0]

    def test_another_camera_keeps_its_past(self) -> None:
        alone = frames([segmented(0, "side"), segmented(9, "side")], settings())[-1]
        beside = frames([segmented(0, "side"), self.nonsense(0, "masks before it"), segmented(9, "side")], settings())
        assert np.array_equal(beside[-1].probabilities, alone.probabilities)

    def test_are_told_to_the_dispatcher_and_not_to_the_outputs(self) -> None:
        said: list[object] = []
        outputs = ListSink[Any]()
        sink = AcknowledgingSink(outputs, Listener(said), DemandTracker(Tee({}, print), said.append))  # type: ignore[arg-type]
        sink.write(Dropped("front", 0, 4, "poison"))
        assert said == [Dropped("front", 0, 4, "poison")]
        assert outputs.items == []


class TestMasksThatComeLate:
    """A frame is shown ahead of its own masks, and the frames after it go on from them."""

    @staticmethod
    def late(seq: int) -> LateMasks:
        made = segmented(seq)
        return LateMasks("front", seq, made.classes, made.probabilities)

    @staticmethod
    def wrong(seq: int) -> SegmentedFrame:
        """A frame of which the network says that the top is a dress."""
        made = segmented(seq)
        planes = made.probabilities.copy()
        planes[DRESS], planes[TOP] = planes[DRESS] | planes[TOP], 0
        return dataclasses.replace(made, probabilities=planes)

    @staticmethod
    def top(made: CompositedFrame) -> float:
        """The top's share of what it truly covers."""
        _, truth = figure(made.frame.picture.pts_ns, SIZE_PX)
        return float((made.parts[truth == TOP] == TOP).mean())

    def test_correct_the_frames_after(self) -> None:
        plain = settings(smoothing={"garment_memory_ms": 0})
        ahead, moved = PropagatedFrame(segmented(30).frame, "ahead"), PropagatedFrame(segmented(31).frame, "warped")
        uncorrected = frames([START, self.wrong(0), ahead, moved], plain)
        corrected = frames([START, self.wrong(0), ahead, self.late(30), moved], plain)
        assert self.top(uncorrected[2]) < 0.1
        assert self.top(corrected[1]) < 0.1
        assert self.top(corrected[2]) > 0.9
        assert corrected[2].mask_age_ns == moved.frame.picture.pts_ns - ahead.frame.picture.pts_ns

    def test_that_come_before_their_frame_are_its_own(self) -> None:
        ahead = PropagatedFrame(segmented(1).frame, "ahead")
        [_, own] = frames([START, segmented(0), self.late(1), ahead], settings())
        [_, waited] = frames([START, segmented(0), segmented(1)], settings())
        assert own.mask_age_ns == 0
        assert np.array_equal(own.probabilities, waited.probabilities)

    def test_are_kept_for_a_frame_that_is_not_the_next(self) -> None:
        moved = PropagatedFrame(segmented(1).frame, "warped")
        ahead = PropagatedFrame(segmented(2).frame, "ahead")
        assert frames([START, segmented(0), self.late(2), moved, ahead], settings())[-1].mask_age_ns == 0

    def test_make_a_still_scene_show_them(self) -> None:
        plain = settings(smoothing={"garment_memory_ms": 0})
        frame = segmented(30).frame
        ahead, still = PropagatedFrame(frame, "ahead"), PropagatedFrame(dataclasses.replace(frame, seq=31), "still")
        assert self.top(frames([START, self.wrong(0), ahead, still], plain)[-1]) < 0.1
        assert self.top(frames([START, self.wrong(0), ahead, self.late(30), still], plain)[-1]) > 0.9

    def test_of_two_frames_in_any_order_leave_the_newer(self) -> None:
        items = [PropagatedFrame(segmented(seq).frame, "ahead") for seq in (1, 2)]
        after = PropagatedFrame(segmented(3).frame, "warped")
        for order in ((1, 2), (2, 1)):
            late = [self.late(seq) for seq in order]
            made = frames([START, segmented(0), *items, *late, after], settings())[-1]
            assert made.mask_age_ns == after.frame.picture.pts_ns - items[1].frame.picture.pts_ns

    def test_late_masks_of_an_ended_camera_or_epoch_are_ignored(self) -> None:
        fresh = frames([START, segmented(9)], settings())[-1]
        ahead = PropagatedFrame(segmented(1).frame, "ahead")
        after = frames([self.late(3), START, segmented(0), ahead, START, self.late(1), segmented(9)], settings())[-1]
        assert np.array_equal(after.probabilities, fresh.probabilities)


def test_smoothing_and_matting_can_be_off() -> None:
    made = frames([segmented(0), segmented(9)], settings(smoothing="off", matting="off"))[-1]
    assert np.array_equal(made.probabilities, segmented(9).probabilities)


def test_panels_stand_side_by_side() -> None:
    view = {"panels": ["raw", "composite", "parts"]}
    [made] = frames([segmented(0)], settings(view=view))
    assert made.composite.shape == (SIZE_PX[1], 3 * SIZE_PX[0], 3)
    assert np.array_equal(made.composite[:, : SIZE_PX[0]], made.frame.picture.pixels)


def test_effects_change_the_composite_and_nothing_else() -> None:
    colour = {"effect": "background_colour", "colour": "#0000ff"}
    [plain] = frames([segmented(0)], settings(effects=[]))
    [made] = frames([segmented(0)], settings(effects=[colour]))
    behind = made.alpha == 0
    assert (made.composite[behind] == (255, 0, 0)).all()
    assert np.array_equal(plain.composite, plain.frame.picture.pixels)
    assert np.array_equal(made.foreground, plain.foreground)


def test_every_class_is_painted_in_its_colour() -> None:
    parts = np.arange(len(CLASSES), dtype=np.uint8)[None, :]
    painted = colourise_parts(np.zeros((1, len(CLASSES), 3), np.uint8), parts, USUAL)
    assert np.abs(painted[0].astype(float) - 0.55 * np.array(PALETTE)).max() <= 1


class Listener:
    """Composite's end towards the dispatcher."""

    def __init__(self, said: list[object]) -> None:
        self._said = said

    def send(self, item: object) -> None:
        self._said.append(item)

    def close(self) -> None:
        self._said.append("closed")


def test_a_frame_is_acknowledged_when_the_outputs_have_taken_it() -> None:
    said: list[object] = []

    class Counting(Listener):
        def send(self, item: object) -> None:
            super().send((item, len(outputs.items)))

    outputs = ListSink[Any]()
    sink = AcknowledgingSink(outputs, Counting(said), DemandTracker(Tee({}, print), said.append))  # type: ignore[arg-type]
    sink.write(START)
    sink.write(composited(4))
    sink.close()
    assert said == [(Ack("front", 0, 4, Box(0, 0, 1, 1)), 2), (EndOfRun(), 2), "closed"]
    assert outputs.closed


def test_of_a_frame_that_comes_again_the_same_is_said_again() -> None:
    said: list[object] = []
    sink = AcknowledgingSink(ListSink(), Listener(said), DemandTracker(Tee({}, print), said.append))  # type: ignore[arg-type]
    sink.write(composited(4))
    sink.again(composited(4).frame)
    sink.again(composited(5).frame)
    assert said == [Ack("front", 0, 4, Box(0, 0, 1, 1))] * 2
