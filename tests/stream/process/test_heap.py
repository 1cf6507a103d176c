"""What a process has freed goes back to the system."""

from __future__ import annotations

import subprocess
import sys

import pytest

HELD = """
import sys, time, psutil
from stream.process import heap
heap.TRIM_INTERVAL_S = 0.05
if sys.argv[1] == "trimmed":
    heap.start_trimming()
process = psutil.Process()
before = process.memory_info().rss
pieces = [bytes(50_000) for _ in range(3000)]  # below what is mapped by itself, as most parts of messages are
kept = pieces[::100]  # here and there one that lives on
del pieces
deadline_s = time.monotonic() + 5
while process.memory_info().rss - before > 30_000_000 and time.monotonic() < deadline_s:
    time.sleep(0.02)
print(process.memory_info().rss - before)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="glibc's heaps")
def test_freed_memory_is_given_back_though_pieces_between_live_on() -> None:
    command = [sys.executable, "-c", HELD]
    grown = [int(subprocess.run([*command, how], check=True, capture_output=True).stdout) for how in ("trimmed", "not")]
    assert grown[0] < 30_000_000 < grown[1]
