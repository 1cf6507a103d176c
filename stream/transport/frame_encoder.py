"""The publisher's side of the protocol: a frame as the message of each topic that is subscribed to."""

from __future__ import annotations

import cv2
import msgspec

from stream.message import CompositedFrame, Pixels, to_bgra
from stream.transport import codec
from stream.transport.codec import Buffer, Encoding
from stream.transport.protocol import VERSION, FrameHeader, Kind, PlaneHeader, PlaneName, Topic, encoded_shape

_WHOLE: tuple[PlaneName, ...] = ("composite", "picture", "probabilities")  # never cropped to what is cut out


class FrameEncoder:
    """One frame on its way out: whatever several topics ask of it is cropped and encoded once."""

    def __init__(self, frame: CompositedFrame) -> None:
        self._frame = frame
        self._crop: tuple[int, int, int, int] | None = None
        self._coded: dict[tuple[PlaneName, Encoding], tuple[PlaneHeader, Buffer]] = {}

    def encode(self, topic: Topic) -> list[Buffer]:
        """The parts of the frame's message under `topic`."""
        names = dict.fromkeys(name for kind in topic.kinds for name in _planes_of(kind, topic.encoding))
        coded = [self._plane(name, topic.encoding) for name in names]
        frame, picture = self._frame.frame, self._frame.frame.picture
        height, width = picture.pixels.shape[:2]
        header = FrameHeader(
            VERSION,
            frame.camera,
            frame.epoch,
            frame.seq,
            picture.pts_ns,
            picture.captured_ns,
            self._frame.mask_age_ns,
            height,
            width,
            self._frame.classes.classes,
            tuple(plane for plane, _ in coded),
        )
        return [str(topic).encode(), msgspec.json.encode(header), *(buffer for _, buffer in coded)]

    def _plane(self, name: PlaneName, encoding: Encoding) -> tuple[PlaneHeader, Buffer]:
        if encoding == "jpeg" and name not in ("colour", "composite", "picture"):
            encoding = "lz4"  # a mask must come back as it was
        if (name, encoding) not in self._coded:
            whole = name in _WHOLE
            pixels = self._whole(name) if whole else self._cropped(name)
            plane = PlaneHeader(name, encoding, pixels.shape, None if whole else self._crop)
            self._coded[name, encoding] = plane, codec.encode(pixels.reshape(encoded_shape(plane)), encoding)
        return self._coded[name, encoding]

    def _whole(self, name: PlaneName) -> Pixels:
        match name:
            case "composite":
                return self._frame.composite
            case "picture":
                return self._frame.frame.picture.pixels
            case _:
                return self._frame.probabilities

    def _cropped(self, name: PlaneName) -> Pixels:
        """The plane where something is cut out or a class is named; one pixel where nothing is."""
        if self._crop is None:
            seen = cv2.max(self._frame.alpha, self._frame.parts)
            x, y, width, height = cv2.boundingRect(seen)
            self._crop = (x, y, max(width, 1), max(height, 1))
        x, y, width, height = self._crop
        box = (slice(y, y + height), slice(x, x + width))
        match name:
            case "alpha":
                return self._frame.alpha[box]
            case "parts":
                return self._frame.parts[box]
            case "colour":
                return self._frame.foreground[box]
            case _:
                return to_bgra(self._frame.foreground[box], self._frame.alpha[box])


def _planes_of(kind: Kind, encoding: Encoding) -> tuple[PlaneName, ...]:
    """Return the planes that carry a kind: JPEG has no alpha, so there a cut-out is two."""
    return ("colour", "alpha") if kind == "cutout" and encoding == "jpeg" else (kind,)
