"""Runs of the command with settings written on the spot, at endpoints of their own on loopback."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tests.running import Running
from tools.campaign.viewer import Viewer

START_S = 150.0
"""A first start compiles the network; on a busy machine that takes long."""
_CLOSE_TIMEOUT_S = 20.0
_MOST_LOAD = 4.0

LIGHT: Mapping[str, Any] = {
    "matting": "off",
    "effects": [],
    "pace": {"still_levels": 64, "still_ms": 60_000},
    "model": {"threads": 1, "frame_deadline_ms": 60_000},
}
"""Settings that leave most of the processor to the faults, and never take a busy machine for a worker that hangs."""


def free_ports(count: int) -> list[int]:
    """Ports of loopback that were free a moment ago, each another."""
    listeners = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    try:
        return [listener.getsockname()[1] for listener in listeners]
    finally:
        for listener in listeners:
            listener.close()


def tcp(port: int) -> str:
    """The endpoint of a port on loopback."""
    return f"tcp://127.0.0.1:{port}"


def port_of(endpoint: str) -> int:
    """The port of a TCP endpoint."""
    return int(endpoint.rpartition(":")[2])


def publisher(port: int) -> dict[str, str]:
    """The output that publishes there."""
    return {"kind": "publisher", "bind": tcp(port)}


def synthetic(rate_hz: float, size_px: tuple[int, int] = (320, 240)) -> dict[str, Any]:
    """A drawn camera that is played live."""
    return {"source": f"synthetic:?rate={rate_hz:g}&size={size_px[0]}x{size_px[1]}", "mode": "live"}


def frame_deadline_ms(least_ms: float) -> float:
    """After how long a worker hangs, longer on a machine that does something else: there, a slow one does not."""
    load = os.getloadavg()[0] / (os.cpu_count() or 1)
    return least_ms * min(max(load, 1.0), _MOST_LOAD)


@contextmanager
def running(
    room: Path,
    name: str,
    settings: Mapping[str, Any],
    *arguments: str,
    prepare: Callable[[], None] | None = None,
) -> Iterator[Running]:
    """Run the command with these settings; whatever of it is left at the end is ended, by process id."""
    path = room / f"{name}.yaml"
    path.write_text(json.dumps(settings))  # JSON is YAML
    with Running(str(path), *arguments, prepare=prepare) as run:
        yield run


def wait_for_first_frames(run: Running, viewer: Viewer, *cameras: str) -> None:
    """Until each camera shows; RuntimeError with the run's own words where one does not."""
    begun_s = time.monotonic()
    for camera in cameras:
        if viewer.wait(camera, 0.0, begun_s + START_S - time.monotonic()) is None:
            raise RuntimeError(f"no frame of {camera} within {START_S:g} s: {run.words[-1000:]}")


def stopped(run: Running, allowed: int = 0) -> list[str]:
    """Stop a live run as Ctrl-C does; what was wrong about its end, nothing where all was well."""
    run.send(signal.SIGINT)
    try:
        code = run.exit_code(_CLOSE_TIMEOUT_S)
    except subprocess.TimeoutExpired:
        return [f"it did not end within {_CLOSE_TIMEOUT_S:g} s of Ctrl-C"]
    wrong = [] if code == allowed else [f"exit code {code}, expected {allowed}: {run.words[-300:]}"]
    return wrong + tracebacks(run)


def tracebacks(run: Running) -> list[str]:
    """What a run told that no person should have to read."""
    words = run.words
    return [f"a traceback was told: {words[words.index('Traceback') :][:600]}"] if "Traceback" in words else []
