"""Ports that a run is about to listen at, tried at its start: one that is taken is told before any file is opened."""

from __future__ import annotations

import os
import socket
from collections.abc import Iterator
from contextlib import ExitStack

from stream.settings.config import ConfigError, Mjpeg, Publisher, Run

Address = tuple[str, int]


def check_ports(settings: Run, stages: tuple[str, ...]) -> None:
    """Listen at all of them at once, for a moment; raises ConfigError, which names the setting."""
    with ExitStack() as stack:
        for key, (host, port) in _addresses(settings, stages):
            family = socket.AF_INET6 if ":" in host else socket.AF_INET
            try:
                stack.enter_context(socket.create_server((host, port), family=family))
            except socket.gaierror:
                continue  # a name or an interface, which whoever binds it knows how to read
            except (OSError, OverflowError) as error:
                # Of several words that tell the address too, the system's own.
                cause = os.strerror(error.errno) if isinstance(error, OSError) and error.errno else error
                where = f"{host or '*'}:{port}"
                raise ConfigError(f"{key}: cannot serve at {where} ({cause}): choose another port") from error


def _addresses(settings: Run, stages: tuple[str, ...]) -> Iterator[tuple[str, Address]]:
    """Every host and port that these stages bind, with the setting that names it."""
    endpoints: dict[str, str | None] = {}
    if "capture" in stages:
        endpoints["transport.dispatch"] = settings.transport.dispatch
    if "composite" in stages:
        endpoints["transport.results"] = settings.transport.results
        endpoints["control.bind"] = settings.control.bind if settings.control is not None else None
        for number, output in enumerate(settings.outputs):
            if isinstance(output, Mjpeg):
                yield f"outputs[{number}].bind", output.address
            elif isinstance(output, Publisher):
                endpoints[f"outputs[{number}].bind"] = output.bind
        if settings.web is not None:
            yield "web.bind", settings.web.address
    for key, endpoint in endpoints.items():
        host, _, port = (endpoint or "").removeprefix("tcp://").rpartition(":")
        if endpoint is not None and endpoint.startswith("tcp://") and port.isdigit():
            yield key, ("" if host == "*" else host.strip("[]"), int(port))
