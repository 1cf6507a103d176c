"""An inference worker whose network takes a given time by waiting: `slow_worker.py SECONDS DISPATCH RESULTS`.

It takes frames and answers them as a real worker does, with masks of a real network, so that what is
measured is how the pipeline behaves around a slow one, and not how fast this machine is.
"""

import os
import signal
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2]))

from clothseg.segmenter import Segmenter
from stream.inference import make_reply
from stream.message import Frame, FramesSent, WorkerReady
from stream.transport.sockets import DealerSocket, PushSocket


def main(inference_s: float, dispatch: str, results: str) -> None:
    """Work until it is ended."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit())
    segmenter = Segmenter.load(threads=1)
    # A slot of its own: two workers of one slot are taken for one that was started again.
    peer, outbox = DealerSocket(dispatch, f"slow_worker-{os.getpid()}.{os.getpid()}"), PushSocket(results)
    received, sent, probabilities = 0, 0, None
    while True:
        peer.send(WorkerReady(received, sent))
        frame = peer.receive(250)
        if isinstance(frame, FramesSent):
            sent = frame.frames
        if not isinstance(frame, Frame):
            continue
        received += 1
        started_ns = time.perf_counter_ns()
        if probabilities is None:
            probabilities = segmenter.probabilities(frame.picture.pixels)
        time.sleep(max(inference_s - (time.perf_counter_ns() - started_ns) / 1e9, 0))
        outbox.write(make_reply(frame, segmenter.classes, probabilities))


if __name__ == "__main__":
    main(float(sys.argv[1]), *sys.argv[2:])
