"""Where the stages of a run meet, resolved before the first of them starts."""

from __future__ import annotations

import itertools
from pathlib import Path
from typing import Final

import msgspec

_RUNS: Final = itertools.count()


class Endpoints(msgspec.Struct, frozen=True):
    """ZeroMQ endpoints of one run: `tcp://` between hosts, `ipc://` between processes, `inproc://` between threads."""

    dispatch: str
    """Bound by dispatch; readers, workers, composite and the page connect."""
    results: str
    """Bound by composite; workers and dispatch connect."""
    publish: str
    """Bound by composite where there is a page, which alone subscribes."""
    control: str
    """Bound by composite where control is asked for."""
    keys: Path | None
    """Folder with CURVE keys for `dispatch` and `results`; None: not encrypted."""


def in_memory(control: str) -> Endpoints:
    """Endpoints for stages that are threads of this process; `control` is asked from outside all the same."""
    run = next(_RUNS)  # one process may hold several runs, one after the other
    dispatch, results, publish = (f"inproc://{name}-{run}" for name in ("dispatch", "results", "publish"))
    return Endpoints(dispatch, results, publish, control, None)
