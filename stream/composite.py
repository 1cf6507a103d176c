"""The composite stage: puts frames in order, steadies and mattes their masks, draws the view, fills the outputs."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

import cv2
import numpy as np

from clothseg.labels import PALETTE
from clothseg.matting import matte, upsample
from clothseg.smoothing import SmoothingState, smooth
from clothseg.tryon import apply_effects, open_effects
from stream.clip import open_clip
from stream.config import OutputSettings, Publisher, Recording, Run
from stream.lifeline import BEAT_S, STOP_S, Lifeline, Patience, Reporter, SinkFailed, StopWanted
from stream.link import Inbox, Peer
from stream.message import (
    CompositedFrame,
    Done,
    Dropped,
    EndOfStream,
    Finished,
    Outage,
    Output,
    Pixels,
    SegmentedFrame,
    StreamStart,
)
from stream.resequence import Resequencer
from stream.sinks import open_sink
from stream.sinks.tee import Tee
from stream.stage import Sink, Step, StreamError, run

Arrival = SegmentedFrame | StreamStart | Outage | EndOfStream
"""What reaches the step: frames in order, and the news of their camera between them."""


class _Past(NamedTuple):
    """All that is remembered of one camera."""

    smoothing: SmoothingState | None = None
    effects: tuple[Any, ...] | None = None


def step(settings: Run) -> Step[Arrival, Output]:
    """SegmentedFrame → CompositedFrame; news of a camera passes through, and makes its past forgotten."""
    pasts: dict[str, _Past] = {}
    effects = open_effects(settings.effects, open_clip)

    def composite(item: Arrival) -> Iterator[Output]:
        if not isinstance(item, SegmentedFrame):
            pasts.pop(item.camera, None)
            yield item
            return
        frame, picture, past = item.frame, item.frame.picture, pasts.get(item.frame.camera, _Past())
        probabilities, smoothing = item.probabilities, past.smoothing
        if settings.smoothing != "off":
            smoothing, probabilities = smooth(
                smoothing, probabilities, picture.pixels, picture.pts_ns, settings.smoothing
            )
        if settings.matting == "off":
            masks = upsample(probabilities, picture.pixels)
        else:
            masks = matte(probabilities, picture.pixels, settings.matting)
        states, dressed = apply_effects(effects, past.effects, picture.pixels, masks, picture.pts_ns)
        pasts[frame.camera] = _Past(smoothing, states)
        panels = {"composite": dressed, "raw": picture.pixels}
        view = [panels[p] if p in panels else paint_parts(picture.pixels, masks.parts) for p in settings.view.panels]
        yield CompositedFrame(
            frame, item.classes, probabilities, masks.alpha, masks.parts, masks.foreground, side_by_side(view)
        )

    return composite


def side_by_side(panels: list[Pixels]) -> Pixels:
    """Pictures of one size in a row: (H, n·W, 3) uint8 BGR."""
    return panels[0] if len(panels) == 1 else np.asarray(cv2.hconcat(panels), np.uint8)


def paint_parts(picture: Pixels, parts: Pixels) -> Pixels:
    """The picture in grey with every class in its colour: (H, W, 3) uint8 BGR."""
    colours = np.zeros((256, 1, 3), np.uint8)
    colours[: len(PALETTE), 0] = PALETTE
    painted = cv2.LUT(cv2.cvtColor(parts, cv2.COLOR_GRAY2BGR), colours)
    grey = cv2.cvtColor(cv2.cvtColor(picture, cv2.COLOR_BGR2GRAY), cv2.COLOR_GRAY2BGR)
    return np.asarray(cv2.addWeighted(grey, 0.45, painted, 0.55, 0), np.uint8)


class Arrivals:
    """What comes in from workers and the dispatcher, put in order, until the run is over."""

    def __init__(self, inbox: Inbox, lifeline: Lifeline) -> None:
        self._inbox = inbox
        self._lifeline = lifeline

    def __iter__(self) -> Iterator[Arrival]:
        resequencer, patience = Resequencer(), Patience(STOP_S)
        while True:
            item = self._inbox.receive(int(BEAT_S * 1000))
            if isinstance(item, Finished):
                return
            if isinstance(item, SegmentedFrame | StreamStart | Outage | EndOfStream | Dropped):
                yield from resequencer.push(item)
            self._lifeline.beat()
            for _ in self._lifeline.heard():
                pass
            if self._lifeline.stopping and patience.over():
                return

    def close(self) -> None:
        self._inbox.close()


class Acknowledged:
    """A sink that tells the dispatcher of every frame that the sinks behind it have taken."""

    def __init__(self, sink: Sink[Output], peer: Peer) -> None:
        self._sink = sink
        self._peer = peer

    def write(self, item: Output) -> None:
        self._sink.write(item)
        if isinstance(item, CompositedFrame):
            frame = item.frame
            self._peer.send(Done(frame.camera, frame.epoch, frame.seq))

    def close(self) -> None:
        try:
            self._sink.close()
        finally:
            self._peer.close()


def open_outputs(settings: Run, lifeline: Reporter) -> Tee:
    """Every output of the run as one sink; one that fails later is reported, and the others go on."""
    sinks: dict[str, Sink[Output]] = {}
    try:
        for output in settings.outputs:
            sinks[output_name(output)] = open_sink(
                output, list(settings.cameras), lambda: lifeline.report(StopWanted())
            )
    except StreamError:
        for sink in sinks.values():
            sink.close()
        raise
    return Tee(sinks, lambda name, cause: lifeline.report(SinkFailed(f"{name} has ended: {cause}")))


def output_name(output: OutputSettings) -> str:
    """An output as a person would call it."""
    match output:
        case Recording(path=path):
            return f"recording {path}"
        case Publisher(bind=bind):
            return f"publisher {bind}"
        case _:
            return type(output).__name__.lower()


def serve(settings: Run, name: str, lifeline: Lifeline) -> None:
    """Composite until the dispatcher says that the run is over."""
    transport = settings.transport
    assert transport.dispatch is not None
    assert transport.results is not None
    outputs = open_outputs(settings, lifeline)
    inbox = Inbox(transport.results, transport.keys)
    peer = Peer(transport.dispatch, name, transport.keys)
    run(Arrivals(inbox, lifeline), step(settings), Acknowledged(outputs, peer))
