"""The composite stage: resequences frames, smooths and mattes their masks, draws the view, writes to the outputs."""

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
from stream.composite.control_server import ControlServer
from stream.composite.demand import DemandTracker
from stream.composite.effects import open_camera_effects
from stream.composite.looks import Look, LookChange, LookChanges, Looks, drain
from stream.composite.masks import MaskState, apply_late_masks, make_masks
from stream.composite.resequence import MaskedFrame, Resequencer
from stream.message import (
    Ack,
    CompositedFrame,
    Dropped,
    EndOfRun,
    EndOfStream,
    Frame,
    LateMasks,
    Outage,
    Output,
    Pixels,
    PropagatedFrame,
    SegmentedFrame,
    StreamStart,
)
from stream.process.pipe import (
    DRAIN_TIMEOUT_S,
    HEARTBEAT_S,
    LazyTimeout,
    Notice,
    Reporter,
    SinkFailed,
    StopRequested,
    SupervisorPipe,
    describe_error,
)
from stream.settings.config import Mjpeg, OutputSettings, Publisher, Push, Recording, Run
from stream.sinks import open_sink
from stream.sinks.background import BackgroundSink
from stream.sinks.camera_filter import CameraFilter
from stream.sinks.tee import Tee
from stream.sources import redact
from stream.stage import Sink, Step, StreamError, run
from stream.transport.sockets import DealerSocket, PullSocket

CompositeInput = MaskedFrame | LateMasks | StreamStart | Outage | EndOfStream
"""Input of the step: frames in order, their camera's events between them, and late masks as they come."""

_MAX_REPORTED_FAULTS: Final = 20  # of a camera: a malformed peer may go on inventing frames
_MAX_KEPT_ACKS: Final = 256  # kept to be sent again; no more frames are ever in flight


class _CompositeState(NamedTuple):
    """All that is remembered of one camera; `effect_states` are those of `effects`, which may be changed."""

    mask_state: MaskState = MaskState()
    effects: tuple[OpenEffect, ...] = ()
    effect_states: tuple[Any, ...] | None = None


def step(settings: Run, notify: Callable[[str], None]) -> Step[CompositeInput | LookChange, Output | Dropped]:
    """Turn each SegmentedFrame or PropagatedFrame into a CompositedFrame; events pass through and reset the state.

    LateMasks correct the state from which the next frame goes on. A `LookChange` applies from the next frame on. A
    frame that cannot be drawn becomes `Dropped` and resets its camera's state; `notify` is given each cause once.
    """
    states: dict[str, _CompositeState] = {}
    faults: dict[str, set[str]] = {}
    looks = Looks(Look(open_camera_effects(settings.effects), settings.cutout, settings.view.panels))

    def fail(camera: str, what: str, error: Exception) -> None:
        states.pop(camera, None)
        cause, reported = describe_error(error), faults.setdefault(camera, set())
        if cause not in reported and len(reported) < _MAX_REPORTED_FAULTS:
            reported.add(cause)
            notify(f"{camera}: {what}: {cause}")

    def take(item: LateMasks) -> None:
        state = states.get(item.camera)
        if state is None:
            return
        try:
            states[item.camera] = state._replace(mask_state=apply_late_masks(item, state.mask_state, settings))
        except Exception as error:  # noqa: BLE001 (masks that fit nothing are of no use, and end nothing)
            fail(item.camera, f"the masks of frame {item.seq} cannot be used", error)

    def compose(item: MaskedFrame) -> CompositedFrame | Dropped:
        frame = item.frame
        try:
            state = states.get(frame.camera, _CompositeState())
            states[frame.camera], composited = composite_frame(item, state, looks.look_of(frame.camera), settings)
        except Exception as error:  # noqa: BLE001 (one frame, however odd, ends no other)
            fail(frame.camera, f"frame {frame.seq} cannot be drawn and is left out", error)
            return Dropped(frame.camera, frame.epoch, frame.seq, "poison")
        return composited

    def composite(item: CompositeInput | LookChange) -> Iterator[Output | Dropped]:
        match item:
            case LateMasks():
                take(item)
            case SegmentedFrame() | PropagatedFrame():
                yield compose(item)
            case LookChange():
                looks.apply(item)
            case _:
                states.pop(item.camera, None)
                if isinstance(item, EndOfStream):
                    looks.forget(item.camera)
                    faults.pop(item.camera, None)
                yield item

    return composite


def composite_frame(
    item: MaskedFrame, state: _CompositeState, look: Look, settings: Run
) -> tuple[_CompositeState, CompositedFrame]:
    """Mask a frame, cut out and dress as chosen, and lay out the view."""
    picture = item.frame.picture
    mask_state, masks = make_masks(item, state.mask_state, settings)
    cut = cut_out(masks.matte, look.cutout)
    states = state.effect_states if state.effects is look.effects else None
    states, composite = apply_effects(look.effects, states, picture.pixels, cut, picture.pts_ns)
    panels = {"composite": composite, "raw": picture.pixels}
    view = [panels[p] if p in panels else colourise_parts(picture.pixels, cut.parts, cut.classes) for p in look.panels]
    return _CompositeState(mask_state, look.effects, states), CompositedFrame(
        item.frame,
        masks.classes,
        masks.probabilities,
        cut.alpha,
        cut.parts,
        cut.foreground,
        side_by_side(view),
        picture.pts_ns - masks.network_pts_ns,
    )


def side_by_side(panels: list[Pixels]) -> Pixels:
    """Pictures of one size in a row: (H, n·W, 3) uint8 BGR."""
    return panels[0] if len(panels) == 1 else np.asarray(cv2.hconcat(panels), np.uint8)


def colourise_parts(picture: Pixels, parts: Pixels, classes: ClassMap) -> Pixels:
    """The picture in grey with every class in its colour: (H, W, 3) uint8 BGR."""
    colours = np.zeros((256, 1, 3), np.uint8)
    colours[: len(classes.palette), 0] = classes.palette
    painted = cv2.LUT(cv2.cvtColor(parts, cv2.COLOR_GRAY2BGR), colours)
    grey = cv2.cvtColor(cv2.cvtColor(picture, cv2.COLOR_BGR2GRAY), cv2.COLOR_GRAY2BGR)
    return np.asarray(cv2.addWeighted(grey, 0.45, painted, 0.55, 0), np.uint8)


class OrderedInput:
    """Source: messages from workers and the dispatcher, resequenced, until the run ends."""

    def __init__(
        self,
        results: PullSocket,
        changes: LookChanges,
        demand: DemandTracker,
        supervisor: SupervisorPipe,
        again: Callable[[Frame], None],
    ) -> None:
        """`again` is given a frame that comes once more after its turn: the word of it got lost."""
        self._socket = results
        self._changes = changes
        self._demand = demand
        self._supervisor = supervisor
        self._again = again

    def __iter__(self) -> Iterator[CompositeInput | LookChange]:
        resequencer, drain_timeout = Resequencer(), LazyTimeout(DRAIN_TIMEOUT_S)
        while True:
            item = self._socket.receive(int(HEARTBEAT_S * 1000))
            if isinstance(item, EndOfRun):
                return
            yield from drain(self._changes)
            if isinstance(item, LateMasks):
                yield item
            elif isinstance(item, MaskedFrame) and resequencer.has_passed(item.frame):
                self._again(item.frame)
            elif isinstance(item, SegmentedFrame | PropagatedFrame | StreamStart | Outage | EndOfStream | Dropped):
                yield from resequencer.push(item)
            self._demand.poll()
            self._supervisor.heartbeat()
            for _ in self._supervisor.commands():
                pass
            if self._supervisor.stopping and drain_timeout.expired():
                return

    def close(self) -> None:
        self._socket.close()


def make_ack(composited: CompositedFrame) -> Ack:
    """The word that a frame has been taken, and where people were in it."""
    frame = composited.frame
    return Ack(frame.camera, frame.epoch, frame.seq, person_box(composited.probabilities))


class AcknowledgingSink:
    """A sink that sends the dispatcher an Ack for every frame the sinks behind it have taken.

    A frame that could not be drawn is reported as `Dropped` and does not reach them.
    """

    def __init__(
        self,
        sink: Sink[Output],
        dispatcher: DealerSocket,
        demand: DemandTracker,
        closing: Callable[[], None] = lambda: None,
    ) -> None:
        """`closing` is called when the sinks are about to be finished, which may take long."""
        self._sink = sink
        self._closing = closing
        self._dispatcher = dispatcher
        self._demand = demand
        self._sent: deque[Ack | Dropped] = deque(maxlen=_MAX_KEPT_ACKS)

    def write(self, item: Output | Dropped) -> None:
        if isinstance(item, Dropped):
            self._send(item)
            return
        self._sink.write(item)
        self._demand.on_output(item)
        if isinstance(item, CompositedFrame):
            self._send(make_ack(item))

    def again(self, frame: Frame) -> None:
        """Repeat the reply for a frame, unchanged: in a file it decides where the network looks."""
        for ack in self._sent:
            if (ack.camera, ack.epoch, ack.seq) == (frame.camera, frame.epoch, frame.seq):
                self._dispatcher.send(ack)

    def _send(self, ack: Ack | Dropped) -> None:
        self._sent.append(ack)
        self._dispatcher.send(ack)

    def close(self) -> None:
        self._closing()
        try:
            self._sink.close()
        finally:
            self._dispatcher.send(EndOfRun())
            self._dispatcher.close()


def open_outputs(settings: Run, changes: LookChanges, supervisor: Reporter) -> Tee:
    """Every output of the run as one sink; one that fails later is reported, and the others go on.

    The control socket watches what is given out as an output does; what it is asked for goes to `changes`.
    """

    def stop() -> None:
        supervisor.report(StopRequested())

    def notify(text: str) -> None:
        supervisor.report(Notice(text))

    sinks: dict[str, Sink[Output]] = {}
    try:
        if settings.control is not None:
            sinks["control"] = ControlServer(settings, endpoint_of(settings.control), changes, supervisor)
        for output in settings.outputs:
            sink = open_sink(output, list(settings.cameras), stop, notify)
            if isinstance(output, Recording):  # an encoder's time is not the next frame's
                sink = BackgroundSink(sink)
            name = output_name(output)
            alike = sum(known.split(" (")[0] == name for known in sinks)  # of an address only the host is shown
            sinks[f"{name} ({alike + 1})" if alike else name] = CameraFilter(sink, settings.cameras)
        if settings.transport.publish is not None:
            page = Publisher(bind=settings.transport.publish)
            sinks["the page"] = open_sink(page, list(settings.cameras), stop, notify)
    except StreamError:
        for sink in sinks.values():
            sink.close()
        raise
    return Tee(sinks, lambda name, cause: supervisor.report(SinkFailed(f"{name} stopped: {cause}")))


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


def serve(settings: Run, name: str, supervisor: SupervisorPipe) -> None:
    """Run the composite stage until EndOfRun."""
    transport = settings.transport
    assert transport.dispatch is not None
    assert transport.results is not None
    changes: LookChanges = SimpleQueue()
    outputs = open_outputs(settings, changes, supervisor)
    results = PullSocket(transport.results, transport.keys)
    dispatcher = DealerSocket(transport.dispatch, name, transport.keys)
    demand = DemandTracker(outputs, dispatcher.send)
    acknowledged = AcknowledgingSink(outputs, dispatcher, demand, supervisor.heartbeat_while_closing)
    arrivals = OrderedInput(results, changes, demand, supervisor, acknowledged.again)
    run(arrivals, step(settings, lambda text: supervisor.report(Notice(text))), acknowledged)
