"""A stage and its supervisor hear each other over a pipe, and a stage without a supervisor ends."""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import threading
from multiprocessing.connection import Connection

import msgspec
import pytest

from stream.process.pipe import (
    Command,
    Heartbeat,
    LazyTimeout,
    Notice,
    ReaderLost,
    SinkFailed,
    StageFailed,
    StageReport,
    StopStage,
    SupervisorPipe,
    WorkerLost,
    describe_error,
)
from stream.stage import StreamError


@pytest.fixture
def pipe() -> tuple[Connection, SupervisorPipe]:
    ours, theirs = multiprocessing.Pipe()
    return ours, SupervisorPipe(theirs)


@pytest.mark.parametrize(
    "command", [StopStage(), WorkerLost("host-worker-0.12"), ReaderLost("front", "gone", retried=True)]
)
def test_commands_go_down(pipe: tuple[Connection, SupervisorPipe], command: Command) -> None:
    supervisor, line = pipe
    supervisor.send_bytes(msgspec.json.encode(command))
    assert list(line.commands()) == [command]
    assert line.stopping == isinstance(command, StopStage)


def test_reports_are_sent_and_heartbeats_are_rate_limited(pipe: tuple[Connection, SupervisorPipe]) -> None:
    supervisor, line = pipe
    line.report(Notice("all is well"))
    line.heartbeat()
    line.heartbeat()
    line.close()
    said: list[StageReport] = []
    while supervisor.poll():
        said.append(msgspec.json.decode(supervisor.recv_bytes(), type=StageReport))
    assert said == [Notice("all is well"), Heartbeat()]


def heard(supervisor: Connection, line: SupervisorPipe) -> list[StageReport]:
    """Everything that was reported, once the supervisor listens again."""
    said: list[StageReport] = []

    def listen() -> None:
        with contextlib.suppress(EOFError):
            while True:
                said.append(msgspec.json.decode(supervisor.recv_bytes(), type=StageReport))

    listener = threading.Thread(target=listen)
    listener.start()
    line.close()
    line._pipe.close()
    listener.join(20)
    return said


def test_a_launcher_that_stands_still_holds_up_nobody_and_misses_no_failure(
    pipe: tuple[Connection, SupervisorPipe],
) -> None:
    supervisor, line = pipe
    for number in range(20_000):  # far more than any pipe holds
        line.report(Notice(f"event {number} " + "x" * 200))
    line.report(SinkFailed("the disk is full"))
    line.report(StageFailed("and now this"))
    said = heard(supervisor, line)
    assert said[-2:] == [SinkFailed("the disk is full"), StageFailed("and now this")]
    assert len(said) < 20_000


def test_signs_of_life_are_given_while_files_are_finished(pipe: tuple[Connection, SupervisorPipe]) -> None:
    supervisor, line = pipe
    line.heartbeat_while_closing()
    for _ in range(3):
        assert supervisor.poll(20)
        assert msgspec.json.decode(supervisor.recv_bytes(), type=StageReport) == Heartbeat()


def test_a_name_that_is_no_utf_8_is_told_all_the_same(pipe: tuple[Connection, SupervisorPipe]) -> None:
    supervisor, line = pipe
    line.report(Notice(os.fsdecode(b"recording caf\xe9.mp4")))
    assert heard(supervisor, line) == [Notice("recording caf\\xe9.mp4")]


def test_a_broken_pipe_is_a_stop(pipe: tuple[Connection, SupervisorPipe]) -> None:
    supervisor, line = pipe
    supervisor.close()
    assert list(line.commands()) == [StopStage()]
    assert line.orphaned
    line.report(Notice("nobody hears this"))
    line.close()
    assert line.stopping


def test_a_lazy_timeout_starts_at_the_first_call() -> None:
    assert not LazyTimeout(60).expired()
    assert LazyTimeout(0).expired()


def test_a_stream_error_is_its_own_sentence_and_others_carry_their_type() -> None:
    assert describe_error(StreamError("the disk\n is full")) == "the disk is full"
    assert describe_error(KeyError("front")) == "KeyError: 'front'"
