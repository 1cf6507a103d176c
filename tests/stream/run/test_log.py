"""Words of a run go to standard error, and whatever becomes of that the run goes on."""

from __future__ import annotations

import io
import os
from pathlib import Path

import pytest

from stream.run.log import Log


def test_what_is_written_is_there_after_a_flush() -> None:
    stream = io.StringIO()
    log = Log(stream)
    log.write("one ")
    log.write("two")
    log.flush()
    assert stream.getvalue() == "one two"


def test_a_pipe_that_nobody_reads_holds_up_nobody(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("stream.run.log._CLOSE_TIMEOUT_S", 0.1)
    ours, theirs = os.pipe()
    with open(ours, "rb") as reader, open(theirs, "w", encoding="utf-8") as stream:
        log = Log(stream)
        for _ in range(50):
            log.write("x" * 10_000)
            log.flush()
        log.close()
        while b"the end" not in os.read(reader.fileno(), 1_000_000):  # it is read again, and what is new is written
            log.write("the end")


def test_a_reader_who_left_and_a_full_disk_are_no_failure(tmp_path: Path) -> None:
    ours, theirs = os.pipe()
    os.close(ours)
    with open(theirs, "w", encoding="utf-8") as stream:
        log = Log(stream)
        log.write("nobody reads this")
        log.flush()
    full = Path("/dev/full")
    if full.exists():
        with full.open("w", encoding="utf-8") as stream:
            log = Log(stream)
            log.write("there is no room for this")
            log.close()


def test_a_name_that_is_no_utf_8_is_written_out(tmp_path: Path) -> None:
    with (tmp_path / "log").open("w", encoding="utf-8") as stream:
        log = Log(stream)
        log.write(os.fsdecode(b"caf\xe9"))
        log.close()
    assert (tmp_path / "log").read_bytes() == b"caf\\udce9"


def test_a_run_without_standard_error_says_nothing() -> None:
    log = Log(None)
    assert log.write("unheard") == 7
    log.close()
    assert not log.isatty()
