"""The one place of the campaign that speaks as the project itself does: whole messages, and those that are untrue."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence

import cv2
import numpy as np

from clothseg.classes import ClassMap, ModelClass
from stream import message
from stream.transport import wire
from stream.web import stamp
from tools.campaign.mutation import Parts

_CLASSES = ClassMap(
    (
        ModelClass("background", "background", None, (0, 0, 0)),
        ModelClass("person", "person", None, (160, 160, 160)),
        ModelClass("top", "garment", "upper", (40, 130, 250)),
        ModelClass("bottom", "garment", "lower", (200, 90, 30)),
        ModelClass("dress", "garment", "whole", (170, 60, 200)),
    )
)
_STRANGERS = ("stranger", "visitor-0123456789abcdef0123456789abcdef", "x" * 64, "a", "")


def encoded(item: object) -> Parts:
    """The parts of a message between stages."""
    return [bytes(part) for part in wire.encode(item)]


def whole_messages() -> list[Parts]:
    """One message of every kind but `WorkerReady`, of an unknown camera: what mutations begin with."""
    camera, picture = "stranger", message.Picture(np.zeros((4, 6, 3), np.uint8), 40_000_000, 1_000_000_000)
    frame, masks = message.Frame(camera, 0, 7, picture), np.zeros((5, 2, 3), np.uint8)
    items: Sequence[object] = (
        frame,
        message.SegmentedFrame(frame, _CLASSES, masks),
        message.PropagatedFrame(frame, "warped"),
        message.LateMasks(camera, 7, _CLASSES, masks),
        message.NewPicture(camera, picture, 2),
        message.SourceOpened(camera, "live", "rtsp://camera", 25.0, None),
        message.SourceLost(camera, "no signal"),
        message.SourceEnded(camera),
        message.PictureRequest(camera),
        message.Ack(camera, 0, 7),
        message.DemandChanged(camera, True),
        message.StreamStart(camera, 0, 0, "live", "rtsp://camera", 25.0),
        message.Outage(camera, 7, "no signal"),
        message.EndOfStream(camera, 7),
        message.Dropped(camera, 0, 7, "superseded"),
    )
    return [encoded(item) for item in items]


def stamped(picture: message.Pixels, clock_ms: int) -> bytes:
    """A visitor's picture (H, W, 3) as the page sends it: a JPEG with the time drawn below."""
    return bytes(cv2.imencode(".jpg", stamp.add_stamp(picture, stamp.Stamp(clock_ms)))[1].tobytes())


class Liar:
    """Says what is well formed and not true, of `camera` and of cameras that there are not.

    It does not forge what only keys can tell from the truth: a worker, frames of `camera`, its end, or that of the run.
    """

    def __init__(self, camera: str, chance: random.Random) -> None:
        self._camera = camera
        self._chance = chance
        self._lies: Sequence[Callable[[], object]] = (
            self._done,
            self._late_masks,
            self._offer,
            self._opened,
            self._gone,
            self._frame,
        )

    def lie(self) -> Parts:
        """One more."""
        while True:
            try:
                return encoded(self._chance.choice(self._lies)())
            except ValueError:
                continue  # too untrue for the project's own message to be made

    def _stranger(self) -> str:
        return self._chance.choice((*_STRANGERS, f"visitor-{self._chance.getrandbits(128):032x}"))

    def _number(self) -> int:
        return self._chance.choice((0, 1, 7, 10**6, 10**12, 2**62, self._chance.randrange(1000)))

    def _pixels(self, *shape: int) -> message.Pixels:
        return np.full(shape, self._chance.randrange(256), np.uint8)

    def _picture(self) -> message.Picture:
        height, width = self._chance.choice(((1, 1), (1, 300), (240, 320), (3, 2)))
        return message.Picture(self._pixels(height, width, 3), self._number(), self._number())

    def _masks(self) -> tuple[ClassMap, message.Pixels]:
        count = self._chance.choice((2, 3, 5, 9))
        height, width = self._chance.choice(((1, 1), (2, 3), (200, 1)))
        people = (ModelClass(f"class{index}", "person", None, (9, 9, 9)) for index in range(1, count))
        classes = ClassMap((ModelClass("nothing", "background", None, (0, 0, 0)), *people))
        return classes, self._pixels(count, height, width)

    def _done(self) -> object:
        return message.Ack(self._chance.choice((self._camera, self._stranger())), self._number(), self._number())

    def _late_masks(self) -> object:
        camera = self._chance.choice((self._camera, self._stranger()))
        return message.LateMasks(camera, 10**9 + self._number(), *self._masks())

    def _offer(self) -> object:
        return message.NewPicture(self._stranger(), self._picture(), self._number())

    def _opened(self) -> object:
        mode: message.Mode = self._chance.choice(("live", "file"))
        return message.SourceOpened(self._stranger(), mode, "nowhere", self._chance.choice((None, 1e-9, 1e9)), None)

    def _gone(self) -> object:
        camera = self._stranger()
        lost, ended = (
            message.SourceLost(camera, "lost"),
            message.SourceEnded(camera, self._chance.choice((None, "ended"))),
        )
        over = message.EndOfStream(camera, self._number())
        return self._chance.choice((lost, ended, over, message.Outage(camera, self._number(), "lost")))

    def _frame(self) -> object:
        frame = message.Frame(self._stranger(), self._number(), self._number(), self._picture())
        carried = message.PropagatedFrame(frame, self._chance.choice(("still", "warped", "ahead")))
        return self._chance.choice((carried, message.SegmentedFrame(frame, *self._masks())))
