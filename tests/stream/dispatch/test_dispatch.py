"""The dispatcher's stage between real sockets: whose connection breaks is heard again, and no frame is lost by it."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from multiprocessing import Pipe
from multiprocessing.connection import Connection

import pytest

from clothseg.classes import USUAL
from stream.dispatch import dispatch
from stream.inference import WorkerInput
from stream.message import Ack, EndOfRun, Mode, NewPicture, PictureRequest, SegmentedFrame, SourceEnded, SourceOpened
from stream.process.pipe import SupervisorPipe
from stream.settings.config import Camera, Model, Run, Transport
from stream.transport.sockets import DealerSocket, PullSocket, PushSocket
from tests.stream.pictures import picture, segmented
from tools.campaign.command import free_ports, tcp
from tools.campaign.proxy import Proxy, Side

REACH_S = 3.0
_MINUTE_MS = 60_000
_PATIENCE_S = 10.0


class Stages:
    """A dispatcher, a worker that reaches it through a cable, and what stands for a reader and for composite."""

    def __init__(self, mode: Mode) -> None:
        [port] = free_ports(1)
        self._inbox = PullSocket("tcp://127.0.0.1:*")
        self._settings = Run(
            cameras={"front": Camera(source="clip.mp4")},
            model=Model(frame_deadline_ms=_MINUTE_MS),
            pace="off",
            transport=Transport(dispatch=tcp(port), results=self._inbox.endpoint),
        )
        self._pipes: list[Connection] = []
        self._threads: list[threading.Thread] = []
        self._serve("dispatch", self._dispatch)
        self._reader, self._composite = DealerSocket(tcp(port), "reader.front.1"), DealerSocket(tcp(port), "composite")
        self._reader.send(SourceOpened("front", mode, "a source"))
        assert self._reader.receive(10_000) == PictureRequest("front")  # so the dispatcher is there
        self.cable = Proxy(port).__enter__()
        self._serve("worker", self._work)
        self._offered = 0
        self._offer()

    def _serve(self, name: str, target: Callable[[SupervisorPipe], None]) -> None:
        ours, theirs = Pipe()
        self._pipes.append(ours)
        thread = threading.Thread(target=target, args=(SupervisorPipe(theirs),), name=name, daemon=True)
        self._threads.append(thread)
        thread.start()

    def _dispatch(self, supervisor: SupervisorPipe) -> None:
        dispatch.serve(self._settings, "dispatch", supervisor)

    def _work(self, supervisor: SupervisorPipe) -> None:
        assert self._settings.transport.results is not None
        work, outbox = (
            WorkerInput(DealerSocket(tcp(self.cable.port), "inference-0.1"), supervisor),
            PushSocket(self._inbox.endpoint),
        )
        for frame in work:
            outbox.write(SegmentedFrame(frame, USUAL, segmented().probabilities))
        work.close()
        outbox.close()

    def _offer(self) -> None:
        self._reader.send(NewPicture("front", picture(self._offered)))
        self._offered += 1

    def done(self) -> int:
        """The number of the next frame that reaches composite."""
        deadline_s = time.monotonic() + _PATIENCE_S
        while time.monotonic() < deadline_s:
            if self._reader.receive(0) is not None:
                self._offer()
            item = self._inbox.receive(10)
            if isinstance(item, SegmentedFrame):
                frame = item.frame
                self._composite.send(Ack(frame.camera, frame.epoch, frame.seq))
                return frame.seq
        raise TimeoutError("no frame reaches composite")

    def close(self) -> None:
        self._composite.send(EndOfRun())  # whatever is under way is given up
        self._reader.send(SourceEnded("front"))
        for pipe in self._pipes:
            pipe.close()
        for thread in self._threads:
            thread.join(10)
        for end in (self._reader, self._composite, self._inbox):
            end.close()
        self.cable.__exit__()


@pytest.fixture
def start() -> Iterator[Callable[[Mode], Stages]]:
    made: list[Stages] = []

    def make(mode: Mode) -> Stages:
        made.append(Stages(mode))
        return made[-1]

    yield make
    for stages in made:
        stages.close()


@pytest.mark.parametrize("side", ["client", "server"])
@pytest.mark.parametrize("mode", ["file", "live"])
def test_a_worker_whose_frame_was_lost_with_its_connection_is_heard_again(
    mode: Mode, side: Side, start: Callable[[Mode], Stages]
) -> None:
    """Long before the deadline of the frame, a minute here."""
    stages = start(mode)
    seen = [stages.done() for _ in range(3)]
    for _ in range(2):
        stages.cable.swallow(side)
        broken_s = time.monotonic()
        connections = stages.cable.connections
        while stages.cable.connections == connections:
            seen.append(stages.done())
        seen.append(stages.done())
        assert time.monotonic() - broken_s < REACH_S
    if mode == "file":
        assert [*dict.fromkeys(seen)] == [*range(max(seen) + 1)]
