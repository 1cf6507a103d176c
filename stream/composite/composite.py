"""The composite stage: puts frames in order, steadies and mattes their masks, draws the view, fills the outputs."""

from __future__ import annotations

from collections.abc import Iterator
from queue import SimpleQueue
from typing import Any, NamedTuple

import cv2
import numpy as np

from clothseg.labels import PALETTE
from clothseg.network.roi import person_box
from clothseg.tryon import OpenEffect, apply_effects
from clothseg.tryon.cutout import cut_out
from stream.composite.control_server import Switchboard
from stream.composite.demand import Attention
from stream.composite.effects import open_dressing
from stream.composite.looks import Change, Changes, Choice, Choices, waiting
from stream.composite.masks import MaskPast, make_masks, take_late
from stream.composite.resequence import Masked, Resequencer
from stream.message import (
    CarriedFrame,
    CompositedFrame,
    Done,
    Dropped,
    EndOfStream,
    Finished,
    LateMasks,
    Outage,
    Output,
    Pixels,
    SegmentedFrame,
    StreamStart,
)
from stream.process.pipe import BEAT_S, STOP_S, Lifeline, Notice, Patience, Reporter, SinkFailed, StopWanted
from stream.settings.config import Mjpeg, OutputSettings, Publisher, Push, Recording, Run
from stream.sinks import open_sink
from stream.sinks.background import Beside
from stream.sinks.camera_filter import Residents
from stream.sinks.tee import Tee
from stream.sources import redact
from stream.stage import Sink, Step, StreamError, run
from stream.transport.sockets import Inbox, Peer

Arrival = Masked | LateMasks | StreamStart | Outage | EndOfStream
"""What reaches the step: frames in order, the news of their camera between them, and masks as they come."""


class _Past(NamedTuple):
    """All that is remembered of one camera; `states` are those of `effects`, which may be changed."""

    masks: MaskPast = MaskPast()
    effects: tuple[OpenEffect, ...] = ()
    states: tuple[Any, ...] | None = None


def step(settings: Run) -> Step[Arrival | Change, Output]:
    """SegmentedFrame or CarriedFrame → CompositedFrame; news of a camera passes through, and makes its past forgotten.

    LateMasks correct the past from which the next frame goes on.

    A `Change` is obeyed from the next frame on.
    """
    pasts: dict[str, _Past] = {}
    choices = Choices(Choice(open_dressing(settings.effects), settings.cutout, settings.view.panels))

    def composite(item: Arrival | Change) -> Iterator[Output]:
        match item:
            case LateMasks():
                if (past := pasts.get(item.camera)) is not None:
                    pasts[item.camera] = past._replace(masks=take_late(item, past.masks, settings))
            case SegmentedFrame(frame=frame) | CarriedFrame(frame=frame):
                past = pasts.get(frame.camera, _Past())
                pasts[frame.camera], made = draw(item, past, choices.of(frame.camera), settings)
                yield made
            case Change():
                choices.change(item)
            case _:
                pasts.pop(item.camera, None)
                if isinstance(item, EndOfStream):
                    choices.forget(item.camera)
                yield item

    return composite


def draw(item: Masked, past: _Past, choice: Choice, settings: Run) -> tuple[_Past, CompositedFrame]:
    """Mask a frame, cut out and dress as chosen, and lay out the view."""
    picture = item.frame.picture
    remembered, masks = make_masks(item, past.masks, settings)
    cut = cut_out(masks.matte, choice.cutout)
    states = past.states if past.effects is choice.effects else None
    states, dressed = apply_effects(choice.effects, states, picture.pixels, cut, picture.pts_ns)
    panels = {"composite": dressed, "raw": picture.pixels}
    view = [panels[p] if p in panels else paint_parts(picture.pixels, cut.parts) for p in choice.panels]
    return _Past(remembered, choice.effects, states), CompositedFrame(
        item.frame,
        masks.classes,
        masks.probabilities,
        cut.alpha,
        cut.parts,
        cut.foreground,
        side_by_side(view),
        picture.pts_ns - masks.seen_ns,
    )


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

    def __init__(self, inbox: Inbox, changes: Changes, attention: Attention, lifeline: Lifeline) -> None:
        self._inbox = inbox
        self._changes = changes
        self._attention = attention
        self._lifeline = lifeline

    def __iter__(self) -> Iterator[Arrival | Change]:
        resequencer, patience = Resequencer(), Patience(STOP_S)
        while True:
            item = self._inbox.receive(int(BEAT_S * 1000))
            if isinstance(item, Finished):
                return
            yield from waiting(self._changes)
            if isinstance(item, LateMasks):
                yield item
            elif isinstance(item, SegmentedFrame | CarriedFrame | StreamStart | Outage | EndOfStream | Dropped):
                yield from resequencer.push(item)
            self._attention.look()
            self._lifeline.beat()
            for _ in self._lifeline.heard():
                pass
            if self._lifeline.stopping and patience.over():
                return

    def close(self) -> None:
        self._inbox.close()


def done(made: CompositedFrame) -> Done:
    """The word that a frame has been taken, and where people were in it."""
    frame = made.frame
    return Done(frame.camera, frame.epoch, frame.seq, person_box(made.probabilities))


class Acknowledged:
    """A sink that tells the dispatcher of every frame that the sinks behind it have taken, and of its end."""

    def __init__(self, sink: Sink[Output], peer: Peer, attention: Attention) -> None:
        self._sink = sink
        self._peer = peer
        self._attention = attention

    def write(self, item: Output) -> None:
        self._sink.write(item)
        self._attention.follow(item)
        if isinstance(item, CompositedFrame):
            self._peer.send(done(item))

    def close(self) -> None:
        try:
            self._sink.close()
        finally:
            self._peer.send(Finished())
            self._peer.close()


def open_outputs(settings: Run, changes: Changes, lifeline: Reporter) -> Tee:
    """Every output of the run as one sink; one that fails later is reported, and the others go on.

    The control socket watches what is given out as an output does; what it is asked for goes to `changes`.
    """

    def stop() -> None:
        lifeline.report(StopWanted())

    def tell(text: str) -> None:
        lifeline.report(Notice(text))

    sinks: dict[str, Sink[Output]] = {}
    try:
        if settings.control is not None:
            sinks["control"] = Switchboard(settings, settings.control.bind, changes, lifeline)
        for output in settings.outputs:
            sink = open_sink(output, list(settings.cameras), stop, tell)
            if isinstance(output, Recording):  # an encoder's time is not the next frame's
                sink = Beside(sink)
            sinks[output_name(output)] = Residents(sink, settings.cameras)
        if settings.transport.published is not None:
            page = Publisher(bind=settings.transport.published)
            sinks["the page"] = open_sink(page, list(settings.cameras), stop, tell)
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
        case Push(url=url):
            return f"push to {redact(url)}"
        case Mjpeg(bind=bind):
            return f"mjpeg {bind}"
        case _:
            return type(output).__name__.lower()


def serve(settings: Run, name: str, lifeline: Lifeline) -> None:
    """Composite until the dispatcher says that the run is over."""
    transport = settings.transport
    assert transport.dispatch is not None
    assert transport.results is not None
    changes: Changes = SimpleQueue()
    outputs = open_outputs(settings, changes, lifeline)
    inbox = Inbox(transport.results, transport.keys)
    peer = Peer(transport.dispatch, name, transport.keys)
    attention = Attention(outputs, peer.send)
    arrivals = Arrivals(inbox, changes, attention, lifeline)
    run(arrivals, step(settings), Acknowledged(outputs, peer, attention))
