"""A camera is read to its end, or opened anew for as long as it is wanted."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator

import pytest

from stream.capture import reader
from stream.capture.mailbox import Mailbox
from stream.capture.reader import read
from stream.message import Mode, NewPicture, Picture, ReaderMessage, SourceEnded, SourceLost, SourceOpened
from stream.settings.config import Camera
from stream.sources import SourceError
from tests.stream.pictures import picture


class Script:
    """A source that yields so many pictures and then ends, or fails."""

    address, rate_hz, frames, skipped = "a script", 30.0, None, 0
    mode: Mode = "live"

    def __init__(self, pictures: int, failure: str | None = None) -> None:
        self._pictures, self._failure, self.closed = pictures, failure, False

    def __iter__(self) -> Iterator[Picture]:
        yield from (picture(number) for number in range(self._pictures))
        if self._failure:
            raise SourceError(self._failure)

    def close(self) -> None:
        self.closed = True


Reading = Callable[[Camera, int], list[ReaderMessage]]


@pytest.fixture
def reading(monkeypatch: pytest.MonkeyPatch) -> Callable[[list[Script | SourceError]], Reading]:
    """Read a camera whose opening goes as scripted, until so many items were taken."""

    def scripted(script: list[Script | SourceError]) -> Reading:
        openings = iter(script)

        def open_source(_camera: Camera, _heard: object) -> Script:
            opening = next(openings, SourceError("nothing more"))
            if isinstance(opening, SourceError):
                raise opening
            return opening

        monkeypatch.setattr(reader, "open_source", open_source)

        def take(camera: Camera, items: int) -> list[ReaderMessage]:
            box, stopped = Mailbox(threading.Condition()), threading.Event()
            reader = threading.Thread(target=read, args=("front", camera, box, stopped))
            reader.start()
            taken = [box.take(credit=1, timeout_s=20) for _ in range(items)]
            stopped.set()
            box.close()
            reader.join(20)
            assert not reader.is_alive()
            assert None not in taken
            return [item for item in taken if item is not None]

        return take

    return scripted


FILE = Camera(source="clip.mp4")
LIVE = Camera(source="rtsp://host/a", retry_ms=1)


def test_a_file_is_opened_read_and_ends(reading: Callable[[list[Script | SourceError]], Reading]) -> None:
    taken = reading([Script(2)])(FILE, 4)
    assert [type(item) for item in taken] == [SourceOpened, NewPicture, NewPicture, SourceEnded]
    assert taken[-1] == SourceEnded("front")


def test_a_file_that_breaks_ends_with_its_cause(reading: Callable[[list[Script | SourceError]], Reading]) -> None:
    assert reading([Script(1, "broken")])(FILE, 3)[-1] == SourceEnded("front", "front: broken")


def test_a_live_source_is_awaited_from_the_start(reading: Callable[[list[Script | SourceError]], Reading]) -> None:
    taken = reading([SourceError("refused"), SourceError("refused"), Script(1)])(LIVE, 4)
    assert [type(item) for item in taken] == [SourceLost, SourceLost, SourceOpened, NewPicture]


@pytest.mark.parametrize("failure", ["gone", None])
def test_a_live_source_that_is_lost_is_opened_anew(
    reading: Callable[[list[Script | SourceError]], Reading], failure: str | None
) -> None:
    first = Script(1, failure)
    taken = reading([first, Script(1)])(LIVE, 5)
    assert [type(item) for item in taken] == [SourceOpened, NewPicture, SourceLost, SourceOpened, NewPicture]
    assert first.closed


def test_a_file_played_live_still_ends(reading: Callable[[list[Script | SourceError]], Reading]) -> None:
    taken = reading([Script(0)])(Camera(source="clip.mp4", mode="live"), 2)
    assert [type(item) for item in taken] == [SourceOpened, SourceEnded]


def test_a_mistake_in_a_source_ends_the_camera_with_its_name(
    reading: Callable[[list[Script | SourceError]], Reading], monkeypatch: pytest.MonkeyPatch
) -> None:
    take = reading([])

    def broken(_camera: Camera, _heard: object) -> Script:
        raise ZeroDivisionError("a mistake")

    monkeypatch.setattr(reader, "open_source", broken)
    assert take(LIVE, 1) == [SourceEnded("front", "front: ZeroDivisionError: a mistake")]
