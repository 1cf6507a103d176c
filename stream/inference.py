"""The inference stage: reads frames from the dispatcher, segments them, writes them to composite; stateless."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable, Iterator
from typing import Final

from clothseg.classes import ClassMap
from clothseg.engines import available_cores
from clothseg.engines.cache import has_compiled
from clothseg.segmenter import Segmenter
from stream.message import Frame, FramesSent, LateMasks, Pixels, SegmentedFrame, WorkerReady
from stream.process.pipe import HEARTBEAT_S, Notice, SupervisorPipe
from stream.settings.config import Model, Run
from stream.stage import Step, run
from stream.transport.endpoints import Endpoints
from stream.transport.sockets import DealerSocket, PushSocket

_NICE: Final = 5  # a frame on its way to the outputs goes before masks that it does not wait for


def load_segmenter(model: Model) -> Segmenter:
    """The segmenter of a worker, with its share of the cores."""
    threads = model.threads or max(available_cores() // model.workers, 1)
    return Segmenter.load(model.weights, model.engine, model.precision, threads)


def make_reply(frame: Frame, classes: ClassMap, probabilities: Pixels) -> SegmentedFrame | LateMasks:
    """Make a worker's reply: the frame with its masks, or the masks alone where it went ahead."""
    if frame.reply == "frame":
        return SegmentedFrame(frame, classes, probabilities)
    return LateMasks(frame.camera, frame.seq, classes, probabilities)


def step(segmenter: Segmenter) -> Step[Frame, SegmentedFrame | LateMasks]:
    """Frame → SegmentedFrame, or LateMasks where the frame went ahead.

    After the first picture of a size the views of it are made ready in the background. Until they are, a live
    frame is seen whole, and one of a file waits, so that its masks do not depend on timing.
    """
    warm_ups: dict[tuple[int, ...], threading.Thread] = {}

    def segment(frame: Frame) -> Iterator[SegmentedFrame | LateMasks]:
        pixels, box = frame.picture.pixels, frame.box
        size = pixels.shape[:2]
        if size in warm_ups and box is not None:
            if frame.live and warm_ups[size].is_alive():
                box = None
            else:
                warm_ups[size].join()
        probabilities = segmenter.probabilities(pixels, box, frame.detail)
        yield make_reply(frame, segmenter.classes, probabilities)
        if size not in warm_ups:
            warm_ups[size] = threading.Thread(target=segmenter.warm_up, args=size, name="warm")
            warm_ups[size].start()

    return segment


def announcing(
    segment: Step[Frame, SegmentedFrame | LateMasks], tell: Callable[[str], None]
) -> Step[Frame, SegmentedFrame | LateMasks]:
    """A step that says what its first frame waits for, where no network was compiled on this machine before."""
    began_s: float | None = None

    def announced(frame: Frame) -> Iterator[SegmentedFrame | LateMasks]:
        nonlocal began_s
        if began_s is not None:
            yield from segment(frame)
            return
        tell("compiling the network for this machine, once: this takes some seconds")
        began_s = time.monotonic()
        for made in segment(frame):
            tell(f"the network is compiled, after {time.monotonic() - began_s:.1f} s")
            yield made

    return segment if has_compiled() else announced


class WorkerInput:
    """Source of the frames assigned to this worker: sends WorkerReady, waits, until told to stop."""

    def __init__(self, peer: DealerSocket, supervisor: SupervisorPipe) -> None:
        self._peer = peer
        self._supervisor = supervisor

    def __iter__(self) -> Iterator[Frame]:
        received = sent = 0
        while not self._supervisor.stopping:
            self._peer.send(WorkerReady(received, sent))
            item = self._peer.receive(int(HEARTBEAT_S * 1000))
            if isinstance(item, Frame):
                received += 1
                yield item
            elif isinstance(item, FramesSent):
                sent = item.frames
            self._supervisor.heartbeat()
            for _ in self._supervisor.commands():
                pass

    def close(self) -> None:
        self._peer.close()


def serve(settings: Run, endpoints: Endpoints, name: str, supervisor: SupervisorPipe) -> None:
    """Run a worker process: load the network, then work until told to stop."""
    os.nice(_NICE)
    segmenter = load_segmenter(settings.model)
    supervisor.report(Notice(f"{name}: {segmenter.engine.description}"))
    peer = DealerSocket(endpoints.dispatch, supervisor.identity, endpoints.keys)
    segment = announcing(step(segmenter), lambda text: supervisor.report(Notice(f"{name}: {text}")))
    run(WorkerInput(peer, supervisor), segment, PushSocket(endpoints.results, endpoints.keys))
