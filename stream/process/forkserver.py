"""The forkserver that stages are forked from: it imports their modules once, while the settings are read."""

from __future__ import annotations

import multiprocessing
import sys
from multiprocessing import forkserver, util
from multiprocessing.context import ForkServerContext, SpawnContext
from typing import Final

from stream.process import signals

# What takes long to read, and holds no thread or socket by having been read.
_PRELOADED: Final = (
    "stream.inference",
    "stream.composite.composite",
    "stream.dispatch.dispatch",
    "stream.capture.reader",
    "openvino",
)


def start() -> None:
    """Begin that process, where there is none yet; it goes on alone."""
    if sys.platform == "linux":  # elsewhere the systems' own libraries do not survive a fork
        multiprocessing.set_forkserver_preload(["__main__", *_PRELOADED])
        with signals.stop_signals_ignored():
            forkserver.ensure_running()


def folders() -> list[str]:
    """Return the forkserver's folders, which stay behind where this process is killed."""
    return [util.get_temp_dir()] if sys.platform == "linux" else []


def process_context() -> ForkServerContext | SpawnContext:
    """Return the multiprocessing context of the stages."""
    if sys.platform == "linux":
        return multiprocessing.get_context("forkserver")
    return multiprocessing.get_context("spawn")
