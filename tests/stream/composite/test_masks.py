"""One camera's masks: steady edges, and masks that come with their frame, after it, before it or never."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from clothseg.classes import USUAL
from stream.composite.masks import Masks, MaskTimeline
from stream.message import LateMasks, Picture, Pixels, PropagatedFrame, Propagation, SegmentedFrame
from stream.settings.config import Run
from stream.settings.parse import parse
from stream.sources.synthetic import figure
from tests.stream.pictures import CLASSES, frame

SIZE_PX = (320, 192)


def run_settings(**groups: Any) -> Run:
    return parse({"cameras": {"front": {"source": "synthetic:"}}, **groups})


def grainy(seq: int) -> SegmentedFrame:
    """The drawn figure, standing still before a noisy camera, as a network sees it that is a little unsure at edges."""
    pixels, parts = figure(0, SIZE_PX)
    noise = np.random.default_rng(seq).normal(0, 6, pixels.shape)
    seen = np.clip(pixels + noise, 0, 255).astype(np.uint8)
    small = parts[::2, ::2]
    planes = np.stack([(small == index).astype(np.uint8) * 235 for index in range(len(CLASSES))])
    planes[0] += 255 - planes.sum(0).astype(np.uint8)
    return SegmentedFrame(dataclasses.replace(frame(seq), picture=Picture(seen, seq * 33_333_333, seq)), USUAL, planes)


def replay(items: list[Any], run: Run) -> list[Masks]:
    """The masks of each frame, where frames and late masks come in this order."""
    timeline, made = MaskTimeline(run.smoothing, run.matting), []
    for item in items:
        if isinstance(item, LateMasks):
            timeline.push_masks(item)
        else:
            made.append(timeline.push_frame(item))
    return made


def alphas(items: list[Any], run: Run) -> list[Pixels]:
    return [masks.matte.alpha for masks in replay(items, run)]


def flicker(made: list[Pixels]) -> float:
    """Mean change of alpha at the edges, of 255."""
    edge = (np.min(made, 0) < 255) & (np.max(made, 0) > 0)
    return float(np.abs(np.diff(np.asarray(made, np.int16)[:, edge], axis=0)).mean())


@pytest.mark.parametrize("carried", [False, True])
def test_edges_flicker_less_than_each_frames_own(carried: bool) -> None:
    """Whether the network answers each frame, or only the first and the others go ahead of their masks."""
    items: list[Any] = [grainy(seq) for seq in range(6)]
    if carried:
        items[1:] = [PropagatedFrame(item.frame, "ahead") for item in items[1:]]
    led, alone = (alphas(items, run_settings(matting={"edge_memory_ms": ms})) for ms in (150, 0))
    assert flicker(led) < 0.75 * flicker(alone)


def test_edges_are_each_frames_own_where_nothing_is_smoothed() -> None:
    items: list[Any] = [grainy(seq) for seq in range(3)]
    led, alone = (alphas(items, run_settings(smoothing="off", matting={"edge_memory_ms": ms})) for ms in (150, 0))
    assert all((one == two).all() for one, two in zip(led, alone, strict=True))


RUN = run_settings()
HOW: tuple[Propagation | None, ...] = (None, "ahead", "warped", "still")


def moving(seq: int) -> SegmentedFrame:
    """The drawn figure on its way, seen by a network that is right."""
    pts_ns = seq * 33_333_333
    pixels, parts = figure(pts_ns, SIZE_PX)
    planes = np.stack([(parts[::2, ::2] == index).astype(np.uint8) * 255 for index in range(len(CLASSES))])
    return SegmentedFrame(dataclasses.replace(frame(seq), picture=Picture(pixels, pts_ns, seq)), USUAL, planes)


def carried(seq: int, how: Propagation) -> PropagatedFrame:
    return PropagatedFrame(moving(seq).frame, how)


def late(seq: int) -> LateMasks:
    made = moving(seq)
    return LateMasks("front", seq, made.classes, made.probabilities)


def network_seqs(made: list[Masks]) -> list[int]:
    """The number of the frame that the network saw last, for each."""
    return [masks.network_pts_ns // 33_333_333 for masks in made]


class TestReplay:
    """Frames come in order; masks come when they come."""

    def test_masks_that_are_late_correct_the_frames_after(self) -> None:
        items = [moving(0), carried(1, "ahead"), carried(2, "warped"), late(1), carried(3, "warped")]
        made = replay(items, RUN)
        assert network_seqs(made) == [0, 0, 0, 1]
        missing = replay([item for item in items if not isinstance(item, LateMasks)], RUN)
        assert not np.array_equal(made[-1].probabilities, missing[-1].probabilities)

    def test_masks_that_are_missing_leave_the_frames_with_those_before(self) -> None:
        items = [moving(0), *[carried(seq, "ahead") for seq in range(1, 20)]]
        assert network_seqs(replay(items, RUN)) == [0] * 20

    def test_masks_that_come_too_late_are_of_no_use(self) -> None:
        """Sixteen frames are remembered: what is older cannot be carried to the present."""
        ahead = [carried(seq, "ahead") for seq in range(1, 20)]
        assert network_seqs(replay([moving(0), *ahead, late(3), carried(20, "warped")], RUN))[-1] == 0
        assert network_seqs(replay([moving(0), *ahead, late(4), carried(20, "warped")], RUN))[-1] == 4

    def test_masks_that_are_early_are_those_of_their_frame(self) -> None:
        early = replay([moving(0), late(2), carried(1, "warped"), carried(2, "ahead")], RUN)
        in_time = replay([moving(0), carried(1, "warped"), moving(2)], RUN)
        assert all(map(same, early, in_time))

    def test_older_masks_change_nothing_after_newer_ones(self) -> None:
        ahead = [moving(0), carried(1, "ahead"), carried(2, "ahead")]
        newer = replay([*ahead, late(2), carried(3, "warped")], RUN)
        both = replay([*ahead, late(2), late(1), carried(3, "warped")], RUN)
        assert all(map(same, newer, both))

    def test_a_frame_of_the_networks_own_closes_what_was_open(self) -> None:
        items, after = [moving(0), carried(1, "ahead"), moving(2)], carried(3, "warped")
        assert all(map(same, replay([*items, late(1), after], RUN), replay([*items, after], RUN)))

    def test_a_still_frame_keeps_its_masks_until_they_are_corrected(self) -> None:
        still = [PropagatedFrame(dataclasses.replace(moving(1).frame, seq=seq), "still") for seq in (2, 3, 4)]
        made = replay([moving(0), carried(1, "ahead"), still[0], late(1), *still[1:]], RUN)
        ahead, kept, corrected, again = (masks.matte.alpha for masks in made[1:])
        assert kept is ahead
        assert corrected is not kept
        assert again is corrected

    def test_where_nothing_is_smoothed_late_masks_have_nowhere_to_go(self) -> None:
        items = [moving(0), carried(1, "ahead"), late(1), carried(2, "warped")]
        assert network_seqs(replay(items, run_settings(smoothing="off"))) == [0, 0, 0]

    def test_a_timeline_begins_with_masks(self) -> None:
        with pytest.raises(ValueError, match="there are none"):
            replay([late(3), carried(1, "warped")], RUN)

    @given(data=st.data())
    @settings(max_examples=15, deadline=None)
    def test_in_any_order_masks_only_grow_younger(self, data: st.DataObject) -> None:
        items: list[Any] = [moving(0)]
        owed: list[int] = []
        for seq in range(1, 10):
            how = data.draw(st.sampled_from(HOW))
            items.append(carried(seq, how) if how is not None else moving(seq))
            if how == "ahead":
                owed.append(seq)
            for _ in range(data.draw(st.integers(0, len(owed)))):
                items.append(late(owed.pop(data.draw(st.integers(0, len(owed) - 1)))))
        seen = network_seqs(replay(items, RUN))
        assert seen == sorted(seen)
        assert all(network <= seq for seq, network in enumerate(seen))


def same(one: Masks, other: Masks) -> bool:
    """Whether they look the same and are as old."""
    arrays = zip((one.probabilities, *one.matte[:3]), (other.probabilities, *other.matte[:3]), strict=True)
    return one.network_pts_ns == other.network_pts_ns and all(map(np.array_equal, *zip(*arrays, strict=True)))
