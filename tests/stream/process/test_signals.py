"""The supervisor heeds what asks a run to stop; what it begins does not. Signals are sent in processes of their own."""

from __future__ import annotations

import signal
import subprocess
import sys

import pytest

ALL = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
BEGIN = """
import signal, subprocess, sys
from stream.process import signals
heard = []
signal.signal(signal.SIGHUP, signal.{hangup})
signals.on_stop_signals(lambda number, frame: heard.append(number))
"""
IGNORED_BY_A_CHILD = """
asked = "import signal; print([signal.getsignal(n) == signal.SIG_IGN for n in (2, 15, 1)])"
with signals.stop_signals_ignored():
    signal.raise_signal(signal.SIGTERM)
    print(subprocess.run([sys.executable, "-c", asked], capture_output=True, text=True).stdout.strip())
print(heard)
signal.raise_signal(signal.SIGTERM)
print(heard)
"""


def told(script: str, hangup: str = "SIG_DFL") -> list[str]:
    """The lines that a process prints after it has begun to heed signals."""
    command = [sys.executable, "-c", BEGIN.format(hangup=hangup) + script]
    return subprocess.run(command, capture_output=True, text=True, check=True, timeout=30).stdout.splitlines()


@pytest.mark.parametrize("number", ALL)
def test_every_way_to_ask_is_heeded(number: signal.Signals) -> None:
    assert told(f"signal.raise_signal({int(number)}); print(heard)") == [f"[{int(number)}]"]


def test_under_nohup_a_closed_terminal_is_no_reason_to_stop() -> None:
    raised = "signal.raise_signal(1); signal.raise_signal(15); print(heard)"
    assert told(raised, hangup="SIG_IGN") == ["[15]"]


def test_a_process_begun_while_signals_are_ignored_never_heeds_them_and_this_one_does_again() -> None:
    assert told(IGNORED_BY_A_CHILD) == ["[True, True, True]", "[]", "[15]"]
