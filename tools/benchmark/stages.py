"""Each stage by itself, in one process, on the same frames: the time and the CPU it takes."""

import itertools
import tempfile
import time
import tracemalloc
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Any, Final

import cv2
import msgspec
import numpy as np
from numpy.typing import NDArray

from clothseg.matting.matting import Matte, matte, previous_matte
from clothseg.network.box import Box
from clothseg.network.checkpoint import DEFAULT_WEIGHTS, read_metadata
from clothseg.network.roi import box_for_frame, person_box
from clothseg.network.transforms import network_size, to_network
from clothseg.segmenter import Segmenter
from clothseg.temporal.smoothing import propagate, smooth
from clothseg.temporal.state import SmoothingState
from clothseg.tryon import apply_effects
from clothseg.tryon.cutout import cut_out
from stream.composite.effects import open_camera_effects
from stream.message import CompositedFrame, Frame, NewPicture, Picture, StreamStart
from stream.settings.config import Camera, Recording, Run
from stream.sinks import open_sink
from stream.sources import open_source
from stream.transport import wire
from stream.transport.codec import Buffer
from stream.transport.frame_encoder import FrameEncoder
from stream.transport.protocol import topic_of
from stream.transport.sockets import DealerSocket, RouterSocket, private_endpoints, remove_folder
from tools.benchmark.end_to_end import Percentiles

Pixels = NDArray[np.uint8]
_ENCODED: Final = 40  # frames that are encoded: each holds some four pictures


class Stage(msgspec.Struct, frozen=True):
    """A stage's time a frame, and the CPU it takes, all threads together.

    `pictures`: the most memory it holds beyond what it was given, results included, in pictures (H, W, 3): whoever
    copies a picture holds one.
    """

    ms: Percentiles
    cpu_ms: float
    pictures: float


class Stopwatch:
    """Takes the time of calls by name."""

    def __init__(self) -> None:
        self._wall_ms: dict[str, list[float]] = {}
        self._cpu_ms: dict[str, list[float]] = {}
        self._held: dict[str, int] = {}

    def __call__(self, name: str, work: Callable[..., Any], *arguments: Any) -> Any:
        """Do `work`, and note what it took: time, or memory while that is traced, which takes time itself."""
        if tracemalloc.is_tracing():
            tracemalloc.reset_peak()
            before = tracemalloc.get_traced_memory()[0]
            made = work(*arguments)
            self._held[name] = tracemalloc.get_traced_memory()[1] - before
            return made
        cpu_ns, wall_ns = time.process_time_ns(), time.perf_counter_ns()
        made = work(*arguments)
        self._wall_ms.setdefault(name, []).append((time.perf_counter_ns() - wall_ns) / 1e6)
        self._cpu_ms.setdefault(name, []).append((time.process_time_ns() - cpu_ns) / 1e6)
        return made

    def stages(self, warm_up: int, picture_bytes: int) -> dict[str, Stage]:
        """What each took, the first `warm_up` calls left out; of the CPU the mean, as it is counted in ticks."""
        return {
            name: Stage(
                Percentiles.of(taken[warm_up:]),
                round(float(np.mean(self._cpu_ms[name][warm_up:])), 2),
                round(self._held.get(name, 0) / picture_bytes, 2),
            )
            for name, taken in self._wall_ms.items()
            if len(taken) > warm_up
        }


def measure(clip: Path, count: int, threads: int, warm_up: int = 10) -> dict[str, Stage]:
    """Carry `count` frames of `clip` through every stage one after the other, with the default settings.

    Codecs go by themselves: their threads work on between two calls, and what they did would be put down to
    whatever came next. What is timed is let go, as it is in the pipeline, because fresh memory takes time. The last
    frame is traced, to see how much memory each stage holds. `threads` are those of the network; OpenCV has one, as
    in the stages' processes.
    """
    cv2.setNumThreads(1)
    watch = Stopwatch()
    pictures = _decoded(watch, clip, count + 1)
    deque(_finished(watch, pictures, threads), maxlen=0)
    finished = list(_finished(Stopwatch(), pictures[:_ENCODED], threads))
    for name, ending in (("encode: H.264 of the composite", "mp4"), ("encode: VP9 with alpha", "webm")):
        _encoded(watch, name, ending, clip, finished)
    return watch.stages(warm_up, pictures[0].pixels.nbytes)


def _decoded(watch: Stopwatch, clip: Path, count: int) -> list[Picture]:
    """The first pictures of a clip; those that are timed are let go, and then read again."""
    camera = Camera(source=str(clip), mode="file")
    pictures = iter(open_source(camera))
    for index in range(count):
        if index == count - 1:
            tracemalloc.start()
        watch("decode", next, pictures)
    tracemalloc.stop()
    return list(itertools.islice(open_source(camera), count))


def _finished(watch: Stopwatch, pictures: Sequence[Picture], threads: int) -> Iterator[CompositedFrame]:
    """The pictures, carried from the wire to the publisher's door."""
    settings = Run()
    segmenter = Segmenter.load(threads=threads)
    smoothed = partial(smooth, garments=len(segmenter.classes.garments))
    effects, states = open_camera_effects(settings.effects), None
    past: SmoothingState | None = None
    before: tuple[Matte, int] | None = None
    box: Box | None = None
    assert not isinstance(settings.smoothing, str)
    assert not isinstance(settings.matting, str)
    with _Hop() as hop:
        for seq, picture in enumerate(pictures):
            if seq == len(pictures) - 1:
                tracemalloc.start()
            frame = Frame("bench", 0, seq, picture)
            parts = watch("wire: encode and decode", _there_and_back, frame)
            watch("wire: one hop", hop, parts)
            probabilities = _probabilities(watch, segmenter, picture.pixels, box_for_frame(box, seq))
            box = person_box(probabilities)
            if past is not None:
                watch("smoothing, propagated", propagate, past, picture.pixels, settings.smoothing)
            past, steady = watch(
                "smoothing", smoothed, past, probabilities, picture.pixels, picture.pts_ns, settings.smoothing
            )
            held = None if before is None else previous_matte(*before, past, picture.pts_ns)
            masks: Matte = watch("matting", matte, steady, picture.pixels, segmenter.classes, settings.matting, held)
            before = masks, picture.pts_ns
            masks = watch("cut-out", cut_out, masks, settings.cutout)
            states, view = watch("effect", apply_effects, effects, states, picture.pixels, masks, picture.pts_ns)
            composited = CompositedFrame(
                frame, segmenter.classes, steady, masks.alpha, masks.parts, masks.foreground, view
            )
            watch("publish: cut-out, raw", _published, composited)
            yield composited
        tracemalloc.stop()


def _encoded(watch: Stopwatch, name: str, ending: str, clip: Path, frames: Sequence[CompositedFrame]) -> None:
    """Record the frames."""
    with tempfile.TemporaryDirectory() as room:
        sink = open_sink(Recording(path=Path(room) / f"made.{ending}", sound="none"), ["bench"], lambda: None)
        sink.write(StreamStart("bench", 0, 0, "file", str(clip)))
        for frame in frames[:-1]:
            watch(name, sink.write, frame)
        tracemalloc.start()
        watch(name, sink.write, frames[-1])
        tracemalloc.stop()
        sink.close()


def _probabilities(watch: Stopwatch, segmenter: Segmenter, pixels: Pixels, box: Box | None) -> Pixels:
    """What the network says of a picture (H, W, 3), (K, h, w), looking at `box`; the whole view is timed beside it."""
    metadata = read_metadata(DEFAULT_WEIGHTS)
    size = network_size(pixels.shape[0], pixels.shape[1], metadata.area_px, metadata.multiple_px)
    small = watch("resize", to_network, pixels, size)
    watch("network, whole view", segmenter.engine, small[None])
    probabilities: Pixels = watch("network", segmenter.probabilities, pixels, box)
    return probabilities


def _there_and_back(frame: Frame) -> Sequence[Buffer]:
    parts = wire.encode(frame)
    wire.decode(parts)
    return parts


def _published(frame: CompositedFrame) -> None:
    FrameEncoder(frame).encode(topic_of("bench", ["cutout"], "raw"))


class _Hop:
    """A frame's way from one end of a link to the other, on this host."""

    def __enter__(self) -> "_Hop":
        endpoints, self._folder = private_endpoints(("hop",))
        self._hub = RouterSocket(endpoints["hop"])
        self._peer = DealerSocket(endpoints["hop"], "bench")
        return self

    def __call__(self, parts: Sequence[Buffer]) -> None:
        item = wire.decode(parts)
        assert isinstance(item, Frame)
        self._peer.send(NewPicture("bench", item.picture))
        assert self._hub.receive(10_000) is not None

    def __exit__(self, *_: object) -> None:
        self._peer.close()
        self._hub.close()
        remove_folder(self._folder)
