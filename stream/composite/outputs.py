"""Opens every output of a run as one sink."""

from __future__ import annotations

from stream.composite.control_server import ControlServer
from stream.composite.looks import LookChanges
from stream.message import Output
from stream.process.pipe import Notice, Reporter, SinkFailed, StopRequested
from stream.settings.config import Publisher, Run
from stream.sinks import SinkContext, open_beside, open_sink, type_of
from stream.sinks.tee import Tee
from stream.stage import Sink, StreamError
from stream.transport.endpoints import Endpoints


def open_outputs(settings: Run, endpoints: Endpoints, changes: LookChanges, supervisor: Reporter) -> Tee:
    """Every output of the run as one sink; one that fails later is reported, and the others go on.

    The control socket watches what is given out as an output does; what it is asked for goes to `changes`.
    """
    context = SinkContext(
        tuple(settings.cameras),
        request_stop=lambda: supervisor.report(StopRequested()),
        notify=lambda text: supervisor.report(Notice(text)),
    )
    sinks: dict[str, Sink[Output]] = {}
    try:
        if settings.control is not None or settings.web is not None:
            sinks["control"] = ControlServer(settings, endpoints.control, changes, supervisor)
        for output in settings.outputs:
            sink, name = open_beside(output, context), type_of(output).name(output)
            alike = sum(known.split(" (")[0] == name for known in sinks)  # of an address only the host is shown
            sinks[f"{name} ({alike + 1})" if alike else name] = sink
        if settings.web is not None:  # visitors' cameras too
            sinks["the page"] = open_sink(
                Publisher(bind=endpoints.publish), context.cameras, context.request_stop, context.notify
            )
    except StreamError:
        for sink in sinks.values():
            sink.close()
        raise
    return Tee(sinks, lambda name, cause: supervisor.report(SinkFailed(f"{name} stopped: {cause}")))
