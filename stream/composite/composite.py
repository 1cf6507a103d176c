"""The composite stage: resequences frames, composites them, writes to the outputs, and acknowledges them."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator
from queue import SimpleQueue
from typing import Final

from clothseg.network.roi import person_box
from stream.composite.compositor import CompositeInput, Compositor
from stream.composite.demand import DemandTracker
from stream.composite.looks import LookChanges, drain
from stream.composite.outputs import open_outputs
from stream.composite.resequence import MaskedFrame, Resequencer
from stream.message import (
    Ack,
    CompositedFrame,
    DemandChanged,
    Dropped,
    EndOfRun,
    EndOfStream,
    Frame,
    LateMasks,
    Outage,
    Output,
    PropagatedFrame,
    SegmentedFrame,
    StreamStart,
)
from stream.process.pipe import (
    DRAIN_TIMEOUT_S,
    HEARTBEAT_S,
    LazyTimeout,
    Notice,
    SupervisorPipe,
)
from stream.settings.config import Run
from stream.stage import Sink, run
from stream.transport.endpoints import Endpoints
from stream.transport.sockets import DealerSocket, PullSocket

_MAX_KEPT_ACKS: Final = 256  # kept to be sent again; no more frames are ever in flight


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

    def __iter__(self) -> Iterator[CompositeInput]:
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
            yield from self._demand.poll()
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
    """A sink that sends the dispatcher an Ack for every frame the sinks behind it have taken, and changes of demand.

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
        elif isinstance(item, DemandChanged):
            self._dispatcher.send(item)

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


def serve(settings: Run, endpoints: Endpoints, name: str, supervisor: SupervisorPipe) -> None:
    """Run the composite stage until EndOfRun."""
    changes: LookChanges = SimpleQueue()
    outputs = open_outputs(settings, endpoints, changes, supervisor)
    results = PullSocket(endpoints.results, endpoints.keys)
    dispatcher = DealerSocket(endpoints.dispatch, name, endpoints.keys)
    demand = DemandTracker(outputs)
    acknowledged = AcknowledgingSink(outputs, dispatcher, demand, supervisor.heartbeat_while_closing)
    arrivals = OrderedInput(results, changes, demand, supervisor, acknowledged.again)
    run(arrivals, Compositor(settings, lambda text: supervisor.report(Notice(text))), acknowledged)
