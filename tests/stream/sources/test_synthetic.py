import numpy as np
import pytest

from clothseg.labels import CLASSES
from stream.settings.config import Camera
from stream.sources import SourceError, open_source
from stream.sources.synthetic import figure


def test_every_class_is_in_the_scene_at_any_time() -> None:
    for pts_ns in range(0, 5_000_000_000, 333_000_000):
        pixels, parts = figure(pts_ns, (320, 240))
        assert pixels.shape == (240, 320, 3)
        assert parts.shape == (240, 320)
        shares = np.bincount(parts.ravel(), minlength=len(CLASSES)) / parts.size
        assert shares.min() > 0.01
        assert shares[0] > 0.5


def test_the_truth_lies_where_the_colours_are() -> None:
    pixels, parts = figure(700_000_000, (640, 360))
    for label in range(1, len(CLASSES)):
        colours = np.unique(pixels[parts == label], axis=0)
        assert len(colours) <= 2  # a person is skin and hair, a garment one colour
        for colour in colours:
            assert (parts[(pixels == colour).all(axis=2)] == label).all()


def test_the_same_moment_is_the_same_scene_and_another_is_not() -> None:
    first, again, later = (figure(t, (64, 48))[0] for t in (10**9, 10**9, 2 * 10**9))
    assert np.array_equal(first, again)
    assert not np.array_equal(first, later)


@pytest.mark.parametrize("size", [(1, 1), (1, 99), (17, 33)])
def test_any_size_can_be_drawn(size: tuple[int, int]) -> None:
    assert figure(0, size)[0].shape == (size[1], size[0], 3)


def test_the_address_says_how_many_how_large_and_how_fast() -> None:
    source = open_source(Camera(source="synthetic:?frames=3&size=50x40&rate=10"))
    assert (source.frames, source.rate_hz, source.mode) == (3, 10, "file")
    pictures = list(source)
    assert [p.pts_ns for p in pictures] == [0, 100_000_000, 200_000_000]
    assert np.array_equal(pictures[1].pixels, figure(100_000_000, (50, 40))[0])


def test_the_camera_settings_are_the_defaults() -> None:
    source = open_source(Camera(source="synthetic:", size_px=(32, 24), rate_hz=50))
    assert next(iter(source)).pixels.shape == (24, 32, 3)
    assert source.rate_hz == 50
    assert source.frames == 300


def test_played_live_it_has_no_end() -> None:
    source = open_source(Camera(source="synthetic:", mode="live"))
    assert source.frames is None


@pytest.mark.parametrize("options", ["frame=3", "frames=0", "frames=x", "size=10", "size=0x5", "rate=0", "rate="])
def test_a_wrong_option_is_refused(options: str) -> None:
    with pytest.raises(SourceError, match="synthetic:"):
        open_source(Camera(source=f"synthetic:?{options}"))
