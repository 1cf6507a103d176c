"""Signals that ask a run to stop: handled by the supervisor alone, which stops all its stages in order.

A terminal or a service manager sends them to every process of a run at once. A stage that died of one would leave its
files unfinished, so stages, and the forkserver, ignore them.
"""

from __future__ import annotations

import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Final

_STOP_SIGNALS: Final = (
    signal.SIGINT,
    signal.SIGTERM,
    signal.SIGHUP,
)  # Ctrl-C, a service manager, a terminal that closes


def on_stop_signals(handler: Callable[[int, FrameType | None], None]) -> None:
    """Call `handler` for each signal that asks to stop; that of a closed terminal not where `nohup` is in force."""
    for number in _STOP_SIGNALS:
        if number != signal.SIGHUP or signal.getsignal(number) != signal.SIG_IGN:
            signal.signal(number, handler)


def ignore_stop_signals() -> None:
    """Take no notice in this process, nor in those it begins."""
    for number in _STOP_SIGNALS:
        signal.signal(number, signal.SIG_IGN)


@contextmanager
def stop_signals_ignored() -> Iterator[None]:
    """Take no notice for a moment; processes begun meanwhile never do."""
    before = {number: signal.getsignal(number) for number in _STOP_SIGNALS}
    ignore_stop_signals()
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
