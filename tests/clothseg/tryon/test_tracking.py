"""A garment's landmarks stay on its cloth while it moves."""

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from clothseg.tryon.tracking import Track, follow_motion, pull_towards_observed

SIZE = (180, 320)
FRAME_NS = 33_333_333
rng = np.random.default_rng(3)
CLOTH = cv2.GaussianBlur(rng.integers(0, 256, (90, 110), dtype=np.uint8), (0, 0), 1.5)
POINTS = np.array([[110.0, 50.0], [190.0, 50.0], [150.0, 110.0]])


def worn(x: int, y: int) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    """A picture in which the cloth is at (x, y), and where it is."""
    grey, garment = np.full(SIZE, 90, np.uint8), np.zeros(SIZE, np.uint8)
    grey[y : y + 90, x : x + 110] = cv2.normalize(CLOTH, None, 0, 255, cv2.NORM_MINMAX)
    garment[y : y + 90, x : x + 110] = 255
    return grey, garment


def begun() -> Track:
    grey, garment = worn(100, 40)
    return Track(POINTS, POINTS, 0, grey, garment, 0)


def test_landmarks_go_where_the_cloth_goes_picture_after_picture() -> None:
    track = begun()
    for number in range(1, 9):
        track, _ = follow_motion(track, *worn(100 + 3 * number, 40 + number), number * FRAME_NS)
    np.testing.assert_allclose(track.points, np.add(POINTS, (24, 8)), atol=0.5)
    np.testing.assert_allclose(track.observed, np.add(POINTS, (24, 8)), atol=0.5)


def test_what_was_followed_is_followed_on_and_not_looked_for_again(monkeypatch: pytest.MonkeyPatch) -> None:
    track, _ = follow_motion(begun(), *worn(103, 41), FRAME_NS)

    def looked(*_: object, **__: object) -> None:
        raise AssertionError("corners were looked for though enough were held")

    monkeypatch.setattr(cv2, "goodFeaturesToTrack", looked)
    track, _ = follow_motion(track, *worn(106, 42), 2 * FRAME_NS)
    np.testing.assert_allclose(track.points, np.add(POINTS, (6, 2)), atol=0.5)


def test_what_is_no_longer_the_garment_is_let_go_and_more_is_found() -> None:
    track, _ = follow_motion(begun(), *worn(103, 41), FRAME_NS)
    grey, garment = worn(106, 42)
    garment[:, : 106 + 70] = 0  # most of it is behind something
    track, _ = follow_motion(track, grey, garment, 2 * FRAME_NS)
    assert track.corners is not None
    held = track.corners[:, 0].round().astype(int)
    assert len(held)
    assert (garment[held[:, 1], held[:, 0]] > 0).all()
    track, _ = follow_motion(track, *worn(109, 43), 3 * FRAME_NS)
    assert track.corners is not None
    assert len(track.corners) > 0
    np.testing.assert_allclose(track.points, np.add(POINTS, (9, 3)), atol=0.7)


def test_cloth_that_shows_nothing_leaves_its_landmarks_and_draws_them_to_the_mask_soon() -> None:
    grey, garment = np.full(SIZE, 90, np.uint8), worn(100, 40)[1]
    plain = Track(POINTS, POINTS, 0, grey, garment, 0)
    carried, share = follow_motion(plain, grey, garment, FRAME_NS)
    np.testing.assert_array_equal(carried.points, POINTS)
    assert np.isnan(carried.observed).all()
    assert share > follow_motion(begun(), *worn(103, 41), FRAME_NS)[1]


def test_landmarks_are_drawn_to_where_they_are_seen_by_a_share_and_those_unseen_stay() -> None:
    seen = POINTS + 10
    seen[1] = np.nan
    drawn = pull_towards_observed(begun()._replace(observed=seen), 0.3).points
    np.testing.assert_allclose(drawn, [POINTS[0] + 3, POINTS[1], POINTS[2] + 3])
