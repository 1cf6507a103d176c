"""From packets to pictures: the one place where video is decoded, whatever it came from."""

from __future__ import annotations

import heapq
import os
from collections.abc import Iterable, Iterator
from fractions import Fraction
from typing import Literal

import av
from av import Packet, VideoFrame, VideoStream
from av.filter import Graph

from stream.media.opening import BOUNDS
from stream.media.orientation import frame_matrix, stream_matrix
from stream.media.pixels import FAST, SQUARE, BgrConverter
from stream.media.timeline import JUMP_AHEAD_NS, Timeline, nominal_step_ns
from stream.message import Mode, Picture, Pixels

Clock = Literal["stream", "arrival", "order"]
"""A picture's time: what its stream says, when it arrived, or, where the container knows only the order in which
packets are decoded, the first of their times that is left."""
LENIENT = frozenset({"mjpeg", "png"})
"""Decoders that fill a truncated picture with grey, unless told not to."""
STRICT = {"err_detect": "explode"}
MAX_THREADS = 4
MAX_ARRIVALS = 64
"""How many packets back the arrival of a picture is looked for; decoders hold fewer than 20."""


class Decoder:
    """Turns the packets of one video stream into upright BGR pictures with rising timestamps.

    Live streams start with their first key frame, so that no half-grey picture is ever shown, and are
    decoded without the one-frame-per-thread delay that makes files fast. `skipped` counts packets
    and pictures that were damaged beyond use.
    """

    def __init__(self, stream: VideoStream, mode: Mode, clock: Clock, origin_ns: int) -> None:
        """`origin_ns` is the container's own start, which becomes 0."""
        context = stream.codec_context
        context.thread_type = "AUTO" if mode == "file" else "SLICE"
        context.thread_count = min(MAX_THREADS, os.cpu_count() or 1)
        context.options = BOUNDS | (STRICT if context.name in LENIENT else {})
        if mode == "live":
            context.flags |= av.codec.context.Flags.low_delay
        self._stream = stream
        self._clock = clock
        self._origin_ns = origin_ns
        self._convert = BgrConverter(FAST)
        self._geometry = _FrameGeometry(stream)
        step_ns = nominal_step_ns(stream.guessed_rate)
        self._timeline = Timeline(step_ns, JUMP_AHEAD_NS if mode == "live" else None)
        self._deinterlacer: _Deinterlacer | None = None
        self._arrivals: dict[int | None, int] = {}
        self._due_ns: list[int] = []
        self._awaiting_key_frame = mode == "live"
        self.skipped = 0

    @property
    def awaits_key(self) -> bool:
        """True if a live stream has sent no key frame yet, so that none of its pictures can be shown."""
        return self._awaiting_key_frame

    def decode(self, packet: Packet[VideoStream], captured_ns: int) -> Iterator[Picture]:
        """The pictures that `packet`, which arrived at `captured_ns`, completes; an empty one flushes."""
        last = packet.size == 0 and packet.dts is None
        if self._awaiting_key_frame and not (packet.is_keyframe or last):
            return
        self._awaiting_key_frame = False
        self._record_arrival(packet.pts, captured_ns)
        if self._clock == "order" and packet.dts is not None and packet.time_base is not None:
            heapq.heappush(self._due_ns, round(packet.dts * packet.time_base * 1_000_000_000) - self._origin_ns)
        for frame in self._deinterlaced(self._decoded(packet), last):
            arrived_ns = self._arrivals.get(self._arrival_key(frame), captured_ns)
            pts_ns = self._timeline.next_pts(self._pts_ns(frame, arrived_ns))
            yield Picture(self._geometry.convert(frame, self._convert), pts_ns, arrived_ns)

    def _decoded(self, packet: Packet[VideoStream]) -> Iterable[VideoFrame]:
        try:
            frames = self._stream.decode(packet)
        except av.error.EOFError:
            return []
        except av.FFmpegError:
            self._skip(1)
            return []
        whole = [frame for frame in frames if not frame.is_corrupt]
        self._skip(len(frames) - len(whole))
        return whole

    def _skip(self, pictures: int) -> None:
        self.skipped += pictures
        for _ in range(min(pictures, len(self._due_ns))):
            heapq.heappop(self._due_ns)

    def _deinterlaced(self, frames: Iterable[VideoFrame], last: bool) -> Iterator[VideoFrame]:
        for frame in frames:
            if self._deinterlacer is None and frame.interlaced_frame:
                self._deinterlacer = _Deinterlacer()
            yield from self._deinterlacer(frame) if self._deinterlacer else (frame,)
        if last and self._deinterlacer:
            yield from self._deinterlacer.flush()

    def _pts_ns(self, frame: VideoFrame, arrived_ns: int) -> int | None:
        if self._clock == "arrival":
            return arrived_ns
        if self._clock == "order" and self._due_ns:
            return heapq.heappop(self._due_ns)
        if frame.pts is None or frame.time_base is None:
            return None
        return round(frame.pts * frame.time_base * 1_000_000_000) - self._origin_ns

    def _arrival_key(self, frame: VideoFrame) -> int | None:
        if frame.pts is None or frame.time_base is None or self._stream.time_base is None:
            return None
        return round(frame.pts * frame.time_base / self._stream.time_base)

    def _record_arrival(self, pts: int | None, captured_ns: int) -> None:
        self._arrivals[pts] = captured_ns
        while len(self._arrivals) > MAX_ARRIVALS:
            del self._arrivals[next(iter(self._arrivals))]


class _FrameGeometry:
    """Rotation and pixel aspect of a stream's frames: both may change with any key frame."""

    def __init__(self, stream: VideoStream) -> None:
        self._stream = stream
        self._of_stream = self._turned = stream_matrix(stream)
        self._aspect = stream.sample_aspect_ratio or SQUARE
        self._first: Fraction | None = None
        self._begun = False

    def convert(self, frame: VideoFrame, convert: BgrConverter) -> Pixels:
        """The pixels of `frame` as they should be seen."""
        # Decoders report a new shape while they still output pictures of the old one: it holds from a key frame on.
        if frame.key_frame or not self._begun:
            self._turned = frame_matrix(frame, self._of_stream)
            decoded = self._stream.codec_context.sample_aspect_ratio
            if not self._begun:
                self._first = decoded
            # The container's value has precedence over the codec's, until that changes.
            self._aspect = (decoded if decoded != self._first else self._stream.sample_aspect_ratio) or SQUARE
            self._begun = True
        return convert(frame, self._turned, self._aspect)


class _Deinterlacer:
    """FFmpeg's `bwdif`, one picture per frame; frames that are progressive pass as they are."""

    def __init__(self) -> None:
        self._graph: Graph | None = None
        self._layout: tuple[int, int, str, Fraction | None] | None = None

    def __call__(self, frame: VideoFrame) -> Iterator[VideoFrame]:
        layout = (frame.width, frame.height, frame.format.name, frame.time_base)
        if layout != self._layout:
            yield from self.flush()
            self._layout = layout
            self._graph = self._build_graph(frame)
        if self._graph:
            self._graph.vpush(frame)
            yield from self._pull()

    def flush(self) -> Iterator[VideoFrame]:
        if self._graph:
            self._graph.vpush(None)
            yield from self._pull()
        self._graph = self._layout = None

    def _pull(self) -> Iterator[VideoFrame]:
        while self._graph:
            try:
                yield self._graph.vpull()
            except (av.error.BlockingIOError, av.error.EOFError):
                return

    @staticmethod
    def _build_graph(frame: VideoFrame) -> Graph:
        graph = Graph()
        source = graph.add_buffer(
            width=frame.width, height=frame.height, format=frame.format, time_base=frame.time_base
        )
        bwdif = graph.add("bwdif", "mode=send_frame:deint=interlaced")
        graph.link_nodes(source, bwdif, graph.add("buffersink"))
        graph.configure()
        return graph
