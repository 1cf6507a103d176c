"""The launcher heeds what asks a run to stop; what it begins does not."""

from __future__ import annotations

import signal
import subprocess
import sys
from collections.abc import Iterator

import pytest

from stream import stop

ALL = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
ASKED = "import signal; print(*(signal.getsignal(n) == signal.SIG_IGN for n in ({})))".format(
    ", ".join(f"signal.{number.name}" for number in ALL)
)


@pytest.fixture(autouse=True)
def handlers() -> Iterator[None]:
    before = {number: signal.getsignal(number) for number in ALL}
    yield
    for number, handler in before.items():
        signal.signal(number, handler)


def ignores() -> list[bool]:
    """Whether a process begun now takes no notice of each signal."""
    told = subprocess.run([sys.executable, "-c", ASKED], capture_output=True, text=True, check=True).stdout
    return [word == "True" for word in told.split()]


@pytest.mark.parametrize("number", ALL)
def test_every_way_to_ask_is_heeded(number: signal.Signals) -> None:
    signal.signal(signal.SIGHUP, signal.SIG_DFL)
    heard: list[int] = []
    stop.heed(lambda number, _frame: heard.append(number))
    signal.raise_signal(number)
    assert heard == [number]


def test_under_nohup_a_closed_terminal_is_no_reason_to_stop() -> None:
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    stop.heed(lambda *_: pytest.fail("it was told not to heed this"))
    signal.raise_signal(signal.SIGHUP)
    assert signal.getsignal(signal.SIGTERM) != signal.SIG_IGN


def test_a_process_begun_while_signals_are_ignored_never_heeds_them_and_this_one_does_again() -> None:
    heard: list[int] = []
    stop.heed(lambda number, _frame: heard.append(number))
    with stop.ignored():
        signal.raise_signal(signal.SIGTERM)
        assert ignores() == [True, True, True]
    assert not heard
    signal.raise_signal(signal.SIGTERM)
    assert heard == [signal.SIGTERM]
