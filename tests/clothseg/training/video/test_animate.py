"""Animated stills: exact masks, exact motion, the same bytes for the same seed."""

import itertools

import cv2
import numpy as np
import pytest
from msgspec import structs

from clothseg.labels import BOTTOM, CLASSES, DRESS, PERSON, TOP
from clothseg.training.video.animate import AnimatedFrame, animate
from clothseg.training.video.scene import SCENES, LabelledPhoto, Scene

SHORT = Scene(size_px=(160, 120), duration_s=0.5, noise=0, exposure=0)


def still(seed: int = 0) -> LabelledPhoto:
    """A drawn person of three parts in a textured street."""
    rng = np.random.default_rng(seed)
    picture = cv2.resize(rng.integers(0, 256, (30, 20, 3), dtype=np.uint8), (160, 240))
    labels = np.zeros((240, 160), np.uint8)
    cv2.circle(labels, (80, 40), 20, PERSON, -1)
    labels[60:130, 55:105], labels[130:220, 60:100] = TOP, BOTTOM
    return LabelledPhoto(picture, labels)


def clip(scene: Scene, seed: int = 3) -> list[AnimatedFrame]:
    return list(animate(still(), still(1), scene, seed))


def test_the_same_seed_gives_the_same_bytes_and_another_does_not() -> None:
    first, again, other = clip(SHORT), clip(SHORT), clip(SHORT, 4)
    for one, two in zip(first, again, strict=True):
        assert (one.picture == two.picture).all()
        assert (one.coverage == two.coverage).all()
        assert np.array_equal(one.motion, two.motion, equal_nan=True)
    assert any((one.picture != two.picture).any() for one, two in zip(first, other, strict=True))


@pytest.mark.parametrize("name", sorted(SCENES))
def test_every_scene_covers_every_pixel_once(name: str) -> None:
    scene = structs.replace(SCENES[name], size_px=(160, 120), duration_s=0.3)
    frames = clip(scene)
    for frame in frames:
        assert (frame.coverage.sum(0, dtype=int) == 255).all()
        assert frame.coverage.shape == (len(CLASSES), 120, 160)
        assert not frame.coverage[DRESS].any()
    assert frames[0].coverage[TOP].any()


def test_motion_says_where_each_surface_was() -> None:
    """The frame before, carried along the motion, is this frame wherever motion is known."""
    frames = clip(structs.replace(SHORT, speed_px=4, bend=0.03, arm_hz=1, crossings_hz=0.5))
    grid = np.stack(np.meshgrid(np.arange(160, dtype=np.float32), np.arange(120, dtype=np.float32)), 2)
    for before, frame in itertools.pairwise(frames):
        known = ~np.isnan(frame.motion[..., 0])
        assert known.mean() > 0.8
        points = grid + np.nan_to_num(frame.motion)
        carried = cv2.remap(before.picture, points, None, cv2.INTER_LINEAR)
        error = np.abs(carried.astype(int) - frame.picture)[known].mean()
        assert error < 2
        assert error < 0.5 * np.abs(before.picture.astype(int) - frame.picture)[known].mean()
    assert np.isnan(frames[0].motion).all()


@pytest.mark.parametrize("speed_px", [1.0, 4.0])
def test_nobody_walks_faster_than_told(speed_px: float) -> None:
    frames = clip(structs.replace(SHORT, speed_px=speed_px, bend=0, duration_s=2))
    centres = [np.nonzero(frame.coverage[TOP] > 127)[1].mean() for frame in frames]
    fastest = np.abs(np.diff(centres)).max()
    assert 0.5 * speed_px < fastest < 1.5 * speed_px


def test_lost_frames_leave_gaps_in_time_and_motion_spans_them() -> None:
    frames = clip(structs.replace(SHORT, lost=0.5, duration_s=2, speed_px=3))
    gaps = np.diff([frame.pts_ns for frame in frames])
    assert len(frames) < 50
    assert gaps.max() > 1.9 * gaps.min()


def test_a_still_without_a_person_is_refused() -> None:
    empty = LabelledPhoto(still().picture, np.zeros((240, 160), np.uint8))
    with pytest.raises(ValueError, match="only background"):
        next(animate(empty, still(), SHORT, 0))
