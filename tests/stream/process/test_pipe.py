"""A stage and its launcher hear each other over a pipe, and a stage without a launcher ends."""

from __future__ import annotations

import multiprocessing
from multiprocessing.connection import Connection

import msgspec
import pytest

from stream.process.pipe import (
    Beat,
    Command,
    Lifeline,
    Notice,
    Patience,
    ReaderLost,
    Report,
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
    said: list[Report] = []
    while launcher.poll():
        said.append(msgspec.json.decode(launcher.recv_bytes(), type=Report))
    assert said == [Notice("all is well"), Beat()]


def test_a_broken_pipe_is_a_stop(pipe: tuple[Connection, Lifeline]) -> None:
    launcher, line = pipe
    launcher.close()
    assert list(line.heard()) == [Stop()]
    assert line.orphaned
    line.report(Notice("nobody hears this"))
    assert line.stopping


def test_patience_runs_from_the_first_question() -> None:
    assert not Patience(60).over()
    assert Patience(0).over()


def test_an_error_of_ours_is_its_own_sentence_and_another_is_told_with_its_kind() -> None:
    assert sentence(StreamError("the disk\n is full")) == "the disk is full"
    assert sentence(KeyError("front")) == "KeyError: 'front'"
