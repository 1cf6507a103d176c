"""What no smoother can better: truth scores perfectly, and masks led along the exact motion stay on what moves."""

import itertools
from collections.abc import Iterator

import numpy as np
import pytest
from numpy.typing import NDArray

from clothseg.labels import BACKGROUND, BOTTOM, CLASSES, TOP
from clothseg.training.video.animate import animate
from clothseg.training.video.clips import ClipFrame
from clothseg.training.video.curve import ClipReplay, variants
from clothseg.training.video.evaluation import MaskMaker, raw_masks, score
from clothseg.training.video.scene import LabelledPhoto, Scene

Pixels = NDArray[np.uint8]
SCENE = Scene(size_px=(160, 120), duration_s=0.5, speed_px=2.0, bend=0.0, noise=0.0, exposure=0.0)


def stills() -> tuple[LabelledPhoto, LabelledPhoto]:
    """Somebody in a top and trousers, and a room."""
    rng = np.random.default_rng(3)
    picture, room = (rng.integers(0, 256, (160, 120, 3), dtype=np.uint8) for _ in range(2))
    labels = np.full((160, 120), BACKGROUND, np.uint8)
    labels[20:80, 40:80], labels[80:150, 40:80] = TOP, BOTTOM
    return LabelledPhoto(picture, labels), LabelledPhoto(room, np.full((160, 120), BACKGROUND, np.uint8))


def frames() -> Iterator[ClipFrame]:
    for frame in animate(*stills(), SCENE, seed=5):
        yield ClipFrame(frame.picture, frame.pts_ns, frame.coverage, frame.motion)


def flickering(told: ClipReplay) -> MaskMaker:
    """A network's masks: truth, of which every second one is half as sure."""
    truth, numbers = told.truth()["truth itself"], itertools.count()

    def make(probabilities: Pixels, picture: Pixels, pts_ns: int) -> Pixels:
        found = truth(probabilities, picture, pts_ns)
        weak = found // 2 if next(numbers) % 2 else found
        weak[BACKGROUND] = 255 - weak[1:].sum(0)
        return weak

    return make


def nobody(picture: Pixels) -> Pixels:
    planes = np.zeros((len(CLASSES), *picture.shape[:2]), np.uint8)
    planes[BACKGROUND] = 255
    return planes


def test_truth_itself_is_perfect_but_for_its_own_pixels() -> None:
    told = ClipReplay(frames())
    made = {"raw": flickering(told), **told.truth()}
    scores = score(told, nobody, made, None, lambda _: False).scores
    truth, weak = scores["truth itself"]["person"], scores["raw"]["person"]
    assert truth.iou == 1
    assert truth.dtssd == 0
    assert truth.warp_disagreement is not None
    assert weak.warp_disagreement is not None
    assert truth.warp_disagreement < 0.3 * weak.warp_disagreement


def test_what_is_true_at_the_outline_has_its_boundary_and_what_is_true_elsewhere_has_not() -> None:
    """Of a network that sees nobody: the ring around the outline comes from truth, or all but the ring."""
    told = ClipReplay(frames())
    scores = score(told, nobody, told.truth(), None, lambda _: False).scores
    ring, rest = (scores[f"true {place}"]["person"] for place in ("at the outline", "but at the outline"))
    assert (ring.boundary_f or 0) > 0.6  # the ring's inner edge is one more
    assert (ring.iou or 1) < 0.5
    assert (rest.boundary_f or 0) < 0.3
    assert 0.5 < (rest.iou or 0) < 1


def test_masks_led_along_the_exact_motion_stay_on_what_moves() -> None:
    """A network that is right in the first frame and sees nobody after: the past goes where the body goes."""
    told = ClipReplay(frames())
    led = told.flow_averaged()["along the reference flow, 2000 ms"]
    first = itertools.count()

    def forgetful(picture: Pixels) -> Pixels:
        if next(first):
            return nobody(picture)
        planes = nobody(picture)
        truth = next(frames()).truth
        assert truth is not None
        planes[TOP] = 255 - truth[BACKGROUND]
        planes[BACKGROUND] = truth[BACKGROUND]
        return planes

    scores = score(told, forgetful, {"raw": raw_masks(), "led": led}, None, lambda _: False).scores
    found = scores["led"]["person"].iou
    assert found is not None
    assert found > 0.8
    assert (scores["raw"]["person"].iou or 0) < 0.2


def test_a_clip_without_truth_is_refused() -> None:
    told = ClipReplay(frame._replace(truth=None, motion=None) for frame in frames())
    with pytest.raises(ValueError, match="animated:SCENE:SEED"):
        score(told, nobody, told.truth(), None, lambda _: False)


def test_without_exact_motion_the_estimated_flow_is_the_reference() -> None:
    """What flickers in a still picture flickers less the longer it is averaged along the flow by which it is judged."""
    first = next(frames())
    still = [first._replace(pts_ns=index * 33_000_000, truth=None, motion=None) for index in range(8)]
    numbers = itertools.count()

    def flickering_person(picture: Pixels) -> Pixels:
        planes = nobody(picture)
        weak = 2 if next(numbers) % 2 else 1
        assert first.truth is not None
        planes[TOP] = (255 - first.truth[BACKGROUND]) // weak
        planes[BACKGROUND] = 255 - planes[TOP]
        return planes

    told = ClipReplay(still)
    scores = score(told, flickering_person, {"raw": raw_masks(), **told.flow_averaged()}, None, lambda _: False).scores
    short, long = (scores[f"along the reference flow, {ms} ms"]["person"].warp_disagreement for ms in (100, 2000))
    assert short is not None
    assert long is not None
    assert long < 0.5 * short < 0.5 * (scores["raw"]["person"].warp_disagreement or 0)


def test_every_variant_makes_masks_of_the_pictures_size() -> None:
    picture = next(frames()).picture
    for make in variants().values():
        made = make(nobody(picture), picture, 0)
        assert made.shape == (len(CLASSES), *picture.shape[:2])
        assert (made.astype(int).sum(0) == 255).all()
