import threading
import time
from collections.abc import Iterator
from itertools import pairwise

import numpy as np

from stream.message import Picture
from stream.settings.config import Camera
from stream.sources import open_source
from stream.sources.presentation import mirrored, paced
from stream.sources.synthetic import figure

MS = 1_000_000


def picture(pts_ns: int) -> Picture:
    return Picture(np.zeros((2, 2, 3), np.uint8), pts_ns, 0)


class Clock:
    """A clock that moves only when it is waited on, or when the reader takes its time."""

    def __init__(self) -> None:
        self.now = 5_000 * MS
        self.waits: list[float] = []

    def now_ns(self) -> int:
        return self.now

    def wait(self, seconds: float) -> None:
        self.waits.append(seconds)
        self.now += round(seconds * 1e9)


def test_a_mirror_exchanges_left_and_right() -> None:
    plain = next(iter(open_source(Camera(source="synthetic:"))))
    flipped = next(iter(open_source(Camera(source="synthetic:", mirror=True))))
    assert np.array_equal(flipped.pixels, plain.pixels[:, ::-1])
    assert not np.array_equal(flipped.pixels, plain.pixels)
    assert next(mirrored([plain])).pts_ns == plain.pts_ns


def test_pictures_come_at_the_times_they_carry() -> None:
    clock = Clock()
    pictures = list(paced([picture(t * MS) for t in (100, 140, 500)], clock.now_ns, clock.wait))
    assert [p.captured_ns // MS for p in pictures] == [5000, 5040, 5400]
    assert [p.pts_ns // MS for p in pictures] == [100, 140, 500]


def test_a_slow_reader_is_not_made_to_wait() -> None:
    clock = Clock()

    def slow() -> Iterator[Picture]:
        for index in range(4):
            clock.now += 60 * MS
            yield picture(index * 40 * MS)

    list(paced(slow(), clock.now_ns, clock.wait))
    assert clock.waits == []


def test_a_file_played_live_takes_the_time_it_lasts() -> None:
    source = open_source(Camera(source="synthetic:?frames=4&rate=50&size=8x8", mode="live"))
    arrivals = [p.captured_ns for p in source]
    assert len(arrivals) == 4
    assert all(later - earlier > 10 * MS for earlier, later in pairwise(arrivals))


def test_closing_does_not_wait_for_the_next_picture() -> None:
    source = open_source(Camera(source="synthetic:?size=8x8", rate_hz=0.05, mode="live"))
    pictures = iter(source)
    next(pictures)
    begun_s = time.monotonic()
    closer = threading.Timer(0.1, source.close)
    closer.start()
    assert list(pictures) == []
    closer.join()
    assert time.monotonic() - begun_s < 5  # the next is due after 20 s


def test_a_presented_source_tells_what_it_presents() -> None:
    source = open_source(Camera(source="synthetic:?frames=7&rate=20", mirror=True))
    assert (source.frames, source.rate_hz, source.mode, source.address) == (7, 20, "file", "synthetic:")
    assert (source.skipped, source.realtime) == (0, False)
    assert figure(0, (8, 8))[0].shape == (8, 8, 3)
