"""A worker segments each frame; the views of a new size are made ready beside that."""

from __future__ import annotations

import dataclasses
import threading
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from clothseg.classes import USUAL
from clothseg.network.box import Box
from stream.inference import announcing, step
from stream.message import Frame, LateMasks, SegmentedFrame
from tests.stream.pictures import CLASSES, frame

BOX = Box(0.2, 0.2, 0.8, 0.8)


class Slow:
    """A segmenter whose views are ready when the test says so."""

    classes = USUAL

    def __init__(self) -> None:
        self.boxes: list[Box | None] = []
        self.ready = threading.Event()
        self.warmed: list[tuple[int, ...]] = []

    def probabilities(
        self, picture: NDArray[np.uint8], box: Box | None = None, detail: float = 1.0
    ) -> NDArray[np.uint8]:
        self.boxes.append(box)
        return np.full((len(CLASSES), 2, 2), round(255 * detail), np.uint8)

    def warm_up(self, height: int, width: int) -> None:
        self.warmed.append((height, width))
        assert self.ready.wait(30)


def looking(seq: int, *, live: bool) -> Frame:
    return dataclasses.replace(frame(seq), box=BOX if seq else None, live=live)


def answers(segmenter: Slow, frames: list[Frame]) -> list[SegmentedFrame | LateMasks]:
    work = step(segmenter)  # type: ignore[arg-type]
    return [made for item in frames for made in work(item)]


def segment(segmenter: Slow, frames: list[Frame]) -> list[SegmentedFrame]:
    return [made for made in answers(segmenter, frames) if isinstance(made, SegmentedFrame)]


def test_a_live_frame_uses_the_full_frame_until_its_region_is_compiled() -> None:
    segmenter = Slow()
    segment(segmenter, [looking(seq, live=True) for seq in range(3)])
    assert segmenter.boxes == [None] * 3
    segmenter.ready.set()


def test_a_frame_of_a_file_waits_for_its_region() -> None:
    segmenter = Slow()
    threading.Timer(0.2, segmenter.ready.set).start()
    made = segment(segmenter, [looking(seq, live=False) for seq in range(3)])
    assert segmenter.boxes == [None, BOX, BOX]
    assert [item.frame.seq for item in made] == [0, 1, 2]


def test_region_sizes_are_warmed_up_once() -> None:
    segmenter = Slow()
    segmenter.ready.set()
    segment(segmenter, [looking(seq, live=False) for seq in range(3)])
    assert segmenter.warmed == [frame().picture.pixels.shape[:2]]


def test_as_much_detail_as_was_asked_for_is_spent() -> None:
    segmenter = Slow()
    segmenter.ready.set()
    [made] = segment(segmenter, [dataclasses.replace(frame(), detail=0.5)])
    assert made.probabilities.max() == 128


def test_of_a_frame_that_went_ahead_the_masks_alone_are_sent_on() -> None:
    segmenter = Slow()
    segmenter.ready.set()
    [made] = answers(segmenter, [dataclasses.replace(frame(7), reply="masks")])
    assert isinstance(made, LateMasks)
    assert (made.camera, made.seq, made.classes) == ("front", 7, USUAL)
    assert made.probabilities.shape == (len(CLASSES), 2, 2)


@pytest.mark.parametrize(
    ("kept", "said"), [((), ["compiling the network", "the network is compiled"]), (("a.blob",), [])]
)
def test_the_first_run_on_a_machine_says_what_it_waits_for(
    kept: tuple[str, ...], said: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    folder = tmp_path / "clothseg/openvino"
    folder.mkdir(parents=True)
    for name in kept:
        (folder / name).touch()
    words: list[str] = []

    def masks(item: Frame) -> Iterator[SegmentedFrame | LateMasks]:
        yield LateMasks(item.camera, item.seq, USUAL, np.zeros((len(CLASSES), 2, 2), np.uint8))

    work = announcing(masks, words.append)
    assert [made.seq for seq in range(2) for made in work(frame(seq)) if isinstance(made, LateMasks)] == [0, 1]
    assert [word.split(" for ")[0].split(",")[0] for word in words] == said
