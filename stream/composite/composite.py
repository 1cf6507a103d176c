"""The composite stage: puts frames in order, steadies and mattes their masks, draws the view, fills the outputs."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator
from queue import SimpleQueue
from typing import Any, Final, NamedTuple

import cv2
import numpy as np

from clothseg.classes import ClassMap
from clothseg.network.roi import person_box
from clothseg.tryon import OpenEffect, apply_effects
from clothseg.tryon.cutout import cut_out
from stream.composite.control import endpoint_of
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
    Frame,
    LateMasks,
    Outage,
    Output,
    Pixels,
    SegmentedFrame,
    StreamStart,
)
from stream.process.pipe import BEAT_S, STOP_S, Lifeline, Notice, Patience, Reporter, SinkFailed, StopWanted, sentence
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

_MOST_FAULTS_TOLD: Final = 20  # of a camera: somebody may go on inventing frames
_WORDS_KEPT: Final = 256  # of frames that were taken, to be said again; no more are ever under way


class _Past(NamedTuple):
    """All that is remembered of one camera; `states` are those of `effects`, which may be changed."""

    masks: MaskPast = MaskPast()
    effects: tuple[OpenEffect, ...] = ()
    states: tuple[Any, ...] | None = None


def step(settings: Run, tell: Callable[[str], None]) -> Step[Arrival | Change, Output | Dropped]:
    """SegmentedFrame or CarriedFrame → CompositedFrame; news of a camera passes through, and makes its past forgotten.

    LateMasks correct the past from which the next frame goes on. A `Change` is obeyed from the next frame on. A frame
    that cannot be drawn becomes `Dropped`, and its camera's past is forgotten; `tell` is given each cause once.
    """
    pasts: dict[str, _Past] = {}
    faults: dict[str, set[str]] = {}
    choices = Choices(Choice(open_dressing(settings.effects), settings.cutout, settings.view.panels))

    def fail(camera: str, what: str, error: Exception) -> None:
        pasts.pop(camera, None)
        cause, told = sentence(error), faults.setdefault(camera, set())
        if cause not in told and len(told) < _MOST_FAULTS_TOLD:
            told.add(cause)
            tell(f"{camera}: {what}: {cause}")

    def take(item: LateMasks) -> None:
        past = pasts.get(item.camera)
        if past is None:
            return
        try:
            pasts[item.camera] = past._replace(masks=take_late(item, past.masks, settings))
        except Exception as error:  # noqa: BLE001 (masks that fit nothing are of no use, and end nothing)
            fail(item.camera, f"the masks of frame {item.seq} cannot be used", error)

    def compose(item: Masked) -> CompositedFrame | Dropped:
        frame = item.frame
        try:
            past = pasts.get(frame.camera, _Past())
            pasts[frame.camera], made = draw(item, past, choices.of(frame.camera), settings)
        except Exception as error:  # noqa: BLE001 (one frame, however odd, ends no other)
            fail(frame.camera, f"frame {frame.seq} cannot be drawn and is left out", error)
            return Dropped(frame.camera, frame.epoch, frame.seq, "poison")
        return made

    def composite(item: Arrival | Change) -> Iterator[Output | Dropped]:
        match item:
            case LateMasks():
                take(item)
            case SegmentedFrame() | CarriedFrame():
                yield compose(item)
            case Change():
                choices.change(item)
            case _:
                pasts.pop(item.camera, None)
                if isinstance(item, EndOfStream):
                    choices.forget(item.camera)
                    faults.pop(item.camera, None)
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
    view = [panels[p] if p in panels else paint_parts(picture.pixels, cut.parts, cut.classes) for p in choice.panels]
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


def paint_parts(picture: Pixels, parts: Pixels, classes: ClassMap) -> Pixels:
    """The picture in grey with every class in its colour: (H, W, 3) uint8 BGR."""
    colours = np.zeros((256, 1, 3), np.uint8)
    colours[: len(classes.palette), 0] = classes.palette
    painted = cv2.LUT(cv2.cvtColor(parts, cv2.COLOR_GRAY2BGR), colours)
    grey = cv2.cvtColor(cv2.cvtColor(picture, cv2.COLOR_BGR2GRAY), cv2.COLOR_GRAY2BGR)
    return np.asarray(cv2.addWeighted(grey, 0.45, painted, 0.55, 0), np.uint8)


class Arrivals:
    """What comes in from workers and the dispatcher, put in order, until the run is over."""

    def __init__(
        self, inbox: Inbox, changes: Changes, attention: Attention, lifeline: Lifeline, again: Callable[[Frame], None]
    ) -> None:
        """`again` is given a frame that comes once more after its turn: the word of it got lost."""
        self._inbox = inbox
        self._changes = changes
        self._attention = attention
        self._lifeline = lifeline
        self._again = again

    def __iter__(self) -> Iterator[Arrival | Change]:
        resequencer, patience = Resequencer(), Patience(STOP_S)
        while True:
            item = self._inbox.receive(int(BEAT_S * 1000))
            if isinstance(item, Finished):
                return
            yield from waiting(self._changes)
            if isinstance(item, LateMasks):
                yield item
            elif isinstance(item, Masked) and resequencer.has_passed(item.frame):
                self._again(item.frame)
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
    """A sink that tells the dispatcher of every frame that the sinks behind it have taken, and of its end.

    Of one that could not be drawn it tells that, and the sinks hear nothing of it.
    """

    def __init__(
        self, sink: Sink[Output], peer: Peer, attention: Attention, closing: Callable[[], None] = lambda: None
    ) -> None:
        """`closing` is called when the sinks are about to be finished, which may take long."""
        self._sink = sink
        self._closing = closing
        self._peer = peer
        self._attention = attention
        self._said: deque[Done | Dropped] = deque(maxlen=_WORDS_KEPT)

    def write(self, item: Output | Dropped) -> None:
        if isinstance(item, Dropped):
            self._say(item)
            return
        self._sink.write(item)
        self._attention.follow(item)
        if isinstance(item, CompositedFrame):
            self._say(done(item))

    def again(self, frame: Frame) -> None:
        """Say once more what was said of a frame: the same, for in a file the network is guided by it."""
        for word in self._said:
            if (word.camera, word.epoch, word.seq) == (frame.camera, frame.epoch, frame.seq):
                self._peer.send(word)

    def _say(self, word: Done | Dropped) -> None:
        self._said.append(word)
        self._peer.send(word)

    def close(self) -> None:
        self._closing()
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
            sinks["control"] = Switchboard(settings, endpoint_of(settings.control), changes, lifeline)
        for output in settings.outputs:
            sink = open_sink(output, list(settings.cameras), stop, tell)
            if isinstance(output, Recording):  # an encoder's time is not the next frame's
                sink = Beside(sink)
            name = output_name(output)
            alike = sum(known.split(" (")[0] == name for known in sinks)  # of an address only the host is shown
            sinks[f"{name} ({alike + 1})" if alike else name] = Residents(sink, settings.cameras)
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
    acknowledged = Acknowledged(outputs, peer, attention, lifeline.closing)
    arrivals = Arrivals(inbox, changes, attention, lifeline, acknowledged.again)
    run(arrivals, step(settings, lambda text: lifeline.report(Notice(text))), acknowledged)
