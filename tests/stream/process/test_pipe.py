"""A stage and its launcher hear each other over a pipe, and a stage without a launcher ends."""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import threading
from multiprocessing.connection import Connection

import msgspec
import pytest

from stream.process.pipe import (
    Beat,
    Command,
    Failed,
    Lifeline,
    Notice,
    Patience,
    ReaderLost,
    Report,
    SinkFailed,
    Stop,
    WorkerLost,
    sentence,
)
from stream.stage import StreamError


@pytest.fixture
def pipe() -> tuple[Connection, Lifeline]:
    ours, theirs = multiprocessing.Pipe()
    return ours, Lifeline(theirs)


@pytest.mark.parametrize("command", [Stop(), WorkerLost("host-worker-0.12"), ReaderLost("front", "gone", retried=True)])
def test_commands_go_down(pipe: tuple[Connection, Lifeline], command: Command) -> None:
    launcher, line = pipe
    launcher.send_bytes(msgspec.json.encode(command))
    assert list(line.heard()) == [command]
    assert line.stopping == isinstance(command, Stop)


def test_reports_go_up_and_beats_are_not_repeated(pipe: tuple[Connection, Lifeline]) -> None:
    launcher, line = pipe
    line.report(Notice("all is well"))
    line.beat()
    line.beat()
    line.close()
    said: list[Report] = []
    while launcher.poll():
        said.append(msgspec.json.decode(launcher.recv_bytes(), type=Report))
    assert said == [Notice("all is well"), Beat()]


def heard(launcher: Connection, line: Lifeline) -> list[Report]:
    """Everything that was reported, once the launcher listens again."""
    said: list[Report] = []

    def listen() -> None:
        with contextlib.suppress(EOFError):
            while True:
                said.append(msgspec.json.decode(launcher.recv_bytes(), type=Report))

    listener = threading.Thread(target=listen)
    listener.start()
    line.close()
    line._pipe.close()
    listener.join(20)
    return said


def test_a_launcher_that_stands_still_holds_up_nobody_and_misses_no_failure(pipe: tuple[Connection, Lifeline]) -> None:
    launcher, line = pipe
    for number in range(20_000):  # far more than any pipe holds
        line.report(Notice(f"event {number} " + "x" * 200))
    line.report(SinkFailed("the disk is full"))
    line.report(Failed("and now this"))
    said = heard(launcher, line)
    assert said[-2:] == [SinkFailed("the disk is full"), Failed("and now this")]
    assert len(said) < 20_000


def test_signs_of_life_are_given_while_files_are_finished(pipe: tuple[Connection, Lifeline]) -> None:
    launcher, line = pipe
    line.closing()
    for _ in range(3):
        assert launcher.poll(20)
        assert msgspec.json.decode(launcher.recv_bytes(), type=Report) == Beat()


def test_a_name_that_is_no_utf_8_is_told_all_the_same(pipe: tuple[Connection, Lifeline]) -> None:
    launcher, line = pipe
    line.report(Notice(os.fsdecode(b"recording caf\xe9.mp4")))
    assert heard(launcher, line) == [Notice("recording caf\\xe9.mp4")]


def test_a_broken_pipe_is_a_stop(pipe: tuple[Connection, Lifeline]) -> None:
    launcher, line = pipe
    launcher.close()
    assert list(line.heard()) == [Stop()]
    assert line.orphaned
    line.report(Notice("nobody hears this"))
    line.close()
    assert line.stopping


def test_patience_runs_from_the_first_question() -> None:
    assert not Patience(60).over()
    assert Patience(0).over()


def test_an_error_of_ours_is_its_own_sentence_and_another_is_told_with_its_kind() -> None:
    assert sentence(StreamError("the disk\n is full")) == "the disk is full"
    assert sentence(KeyError("front")) == "KeyError: 'front'"
