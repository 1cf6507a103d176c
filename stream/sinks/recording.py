"""Records each camera into files of its own, in the format their ending names."""

from __future__ import annotations

import glob
import os
from collections.abc import Callable, Sequence
from pathlib import Path

import cv2
import numpy as np

from stream.message import CompositedFrame, EndOfStream, Output, Pixels, StreamStart
from stream.settings.config import Recording
from stream.sinks.audio import AudioReader
from stream.sinks.error import SinkError
from stream.sinks.formats import Format, format_of
from stream.sinks.verification import verify
from stream.sinks.video_writer import VideoWriter

COLOUR_MARGIN_PX = 16
"""How far around what is cut out its colours are kept: further than a codec's blocks and filters reach."""
INVISIBLE_ALPHA = 4
"""Alpha up to here, of 255, is the matte's noise: nothing of it can be seen."""
MIN_STEP_NS = 1_000_000
DEFAULT_RATE_HZ = 30.0


def check(settings: Recording, cameras: Sequence[str]) -> None:
    """Raise SinkError for a recording that cannot work, before anything starts; make its folder where missing."""
    format_of(settings)
    if len(cameras) > 1 and "{camera}" not in str(settings.path):
        raise SinkError(
            f"{len(cameras)} cameras cannot share a recording: write {{camera}} into the name {settings.path}"
        )
    for camera in cameras or ("camera",):
        path = path_for(settings, camera, 1)
        _require_writable(path)
        if path.suffix.lower() == ".png" and any(path.parent.glob(f"{glob.escape(path.stem)}-*.png")):
            raise SinkError(
                f"there are pictures {path.stem}-….png in {path.parent} already: remove them or choose another name"
            )


def path_for(settings: Recording, camera: str, number: int) -> Path:
    """Return the path of the `number`-th file of `camera`, counted from 1."""
    path = Path(str(settings.path).replace("{camera}", camera)).expanduser()
    return path if number == 1 else path.with_stem(f"{path.stem}-{number}")


def _require_writable(path: Path) -> None:
    was_there = path.exists()
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("ab"):
            pass
        if not was_there:
            path.unlink()
    except OSError as error:
        raise SinkError(f"cannot record to {path}: {os.strerror(error.errno or 0)}") from None


def select_picture(frame: CompositedFrame, form: Format) -> Pixels:
    """The picture of `frame` that a recording holds: (H, W, 3) BGR, (H, W, 4) BGRA or (H, W) labels."""
    match form.shows:
        case "cutout":
            return frame.cutout if form.codec.lossless else mask_hidden_colours(frame.cutout)
        case "stacked":
            colour = mask_hidden_colours(frame.cutout)[..., :3]
            return np.vstack((colour, cv2.cvtColor(frame.alpha, cv2.COLOR_GRAY2BGR)))
        case "parts":
            return frame.parts
        case _:
            return frame.composite


def mask_hidden_colours(cutout: Pixels) -> Pixels:
    """`cutout` (H, W, 4) BGRA without the colours of what is far outside it.

    They are invisible, but cost a fifth of the encoder's time, and dropping the alpha would show the
    room that was to be hidden.
    """
    side = 2 * COLOUR_MARGIN_PX + 1
    seen = cv2.threshold(cutout[..., 3], INVISIBLE_ALPHA, 255, cv2.THRESH_BINARY)[1]
    near = cv2.dilate(seen, np.ones((side, side), np.uint8))
    return np.asarray(cv2.copyTo(cutout, near), np.uint8)


class RecordingSink:
    """A movie for each camera, begun with its first frame and finished with its stream.

    During an outage nothing is written: the last picture stands until the next. A camera whose stream
    ended and that comes again is recorded into a further file (`name-2.mp4`), never over the first. A
    finished file is opened again and compared with what was written, unless the run was interrupted.
    """

    def __init__(self, settings: Recording, cameras: Sequence[str]) -> None:
        check(settings, cameras)
        self._settings = settings
        self._format = format_of(settings)
        self._recordings: dict[str, _CameraRecording] = {}
        self._file_counts: dict[str, int] = {}
        self._starts: dict[str, StreamStart] = {}

    def write(self, item: Output) -> None:
        """Record a frame, or finish the file of a camera whose stream has ended."""
        match item:
            case CompositedFrame():
                camera = item.frame.camera
                if camera not in self._recordings:
                    self._recordings[camera] = self._start_recording(camera)
                picture = item.frame.picture
                self._recordings[camera].write(select_picture(item, self._format), picture.pts_ns, item.frame.epoch)
            case StreamStart():
                self._starts.setdefault(item.camera, item)
            case EndOfStream():
                self._starts.pop(item.camera, None)
                if item.camera in self._recordings:
                    track = self._recordings.pop(item.camera)
                    track.close()
                    if not item.interrupted:
                        track.verify()

    def close(self) -> None:
        """Finish every file; the first failure is raised after all were tried."""
        failures = []
        while self._recordings:
            try:
                _, track = self._recordings.popitem()
                track.close()
            except SinkError as error:
                failures.append(error)
        if failures:
            raise failures[0]

    def _start_recording(self, camera: str) -> _CameraRecording:
        start = self._starts.get(camera)
        source = start.source if start else ""
        sound = None
        if self._settings.sound == "source" and self._format.container.sounds:
            sound = AudioReader.open(source)

        def next_path() -> Path:
            self._file_counts[camera] = self._file_counts.get(camera, 0) + 1
            path = path_for(self._settings, camera, self._file_counts[camera])
            if path.resolve() == Path(source).resolve():
                raise SinkError(f"the recording {path} would overwrite the file it is made from")
            return path

        rate_hz = (start.rate_hz if start else None) or DEFAULT_RATE_HZ
        return _CameraRecording(self._format, next_path, rate_hz, self._settings.segment_s, sound)


class _CameraRecording:
    """A camera's recording over epochs and segments: one rising clock, one file at a time.

    A new epoch whose clock starts lower goes on after the last picture.
    """

    def __init__(
        self,
        form: Format,
        next_path: Callable[[], Path],
        rate_hz: float,
        segment_s: float | None,
        sound: AudioReader | None,
    ) -> None:
        self._form = form
        self._next_path = next_path
        self._rate_hz = rate_hz
        self._segment_s = segment_s
        self._sound = sound
        self._video: VideoWriter | None = None
        self._epoch: int | None = None
        self._last_ns = 0
        self._offset_ns = 0

    def write(self, pixels: Pixels, pts_ns: int, epoch: int) -> None:
        """Append a picture, to a new file where the open one is long enough."""
        if self._epoch is not None and epoch != self._epoch and pts_ns + self._offset_ns <= self._last_ns:
            self._offset_ns = self._last_ns + MIN_STEP_NS - pts_ns
        self._epoch = epoch
        self._last_ns = pts_ns + self._offset_ns
        if self._video and self._segment_s and self._last_ns - self._video.start_ns >= self._segment_s * 1e9:
            self._video.close(self._last_ns)
            verify(self._video)
            self._video = None
        if self._video is None:
            shape = (pixels.shape[0], pixels.shape[1])
            self._video = VideoWriter(
                self._next_path(),
                self._form,
                shape,
                start_ns=self._last_ns,
                rate_hz=self._rate_hz,
                sound=self._sound,
            )
        self._video.write(pixels, self._last_ns)

    def close(self) -> None:
        """Finish the open file."""
        if self._video:
            self._video.close()
        if self._sound:
            self._sound.close()

    def verify(self) -> None:
        """Hold the finished file to what was written."""
        if self._video:
            verify(self._video)
