"""Faults of the processes and of what surrounds them: the run goes on, or fails and says why; it never stands still."""

from __future__ import annotations

import contextlib
import fcntl
import os
import random
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest

from tests.running import PATIENCE_S, ROOT, Running, run
from tests.test_end_to_end import EXACT, FILE, STARTED, TAKEN, delivered, pictures, synthetic

pytestmark = pytest.mark.timeout(240)

LIVE = ("--source", "synthetic:", "--set", "cameras.file.mode=live", *TAKEN)


def with_temporary(folder: Path) -> Callable[[], None]:
    """Let the run keep its sockets here."""

    def prepare() -> None:
        os.environ["TMPDIR"] = str(folder)

    return prepare


class TestProcessesThatHang:
    SOON = ("--set", "model.frame_deadline_ms=5000")  # so long may a worker take to compile

    @pytest.mark.parametrize("stage", ["composite", "dispatch"])
    def test_one_that_cannot_be_replaced_ends_the_run_as_a_failure(self, stage: str) -> None:
        with Running(FILE, *LIVE, *self.SOON) as running:
            running.wait_for_frames("file")
            running.stage(stage).send_signal(signal.SIGSTOP)
            assert running.exit_code() == 1
            assert f"failed: {stage} sent no heartbeat" in running.words

    @pytest.mark.parametrize("name", ["file", "worker-0"])
    def test_a_reader_or_a_worker_is_replaced(self, name: str) -> None:
        with Running(FILE, *LIVE, *self.SOON) as running:
            running.wait_for_frames("file")
            hung = running.stage(name)
            hung.send_signal(signal.SIGSTOP)
            running.wait_for(f"{name} sent no heartbeat")
            running.wait_for_frames("file", int(delivered(running.words)[0]) + 30)
            running.send(signal.SIGINT)
            assert running.exit_code() == 0, running.words

    def test_a_composite_that_had_to_be_killed_is_a_failure(self, tmp_path: Path) -> None:
        with Running(FILE, "--source", synthetic(3000), "--record", str(tmp_path / "made.mp4")) as running:
            running.wait_for_frames("file")
            running.stage("composite").send_signal(signal.SIGSTOP)
            running.send(signal.SIGINT)
            assert running.exit_code() == 1
            assert "composite did not end in time and was killed: its files may be unfinished" in running.words


class TestWhereTheRunSpeaks:
    """Standard error that stands still, is full, or has nobody who reads it."""

    def done(self, tmp_path: Path, stderr: int) -> None:
        made = tmp_path / "made.mp4"
        command = [sys.executable, str(ROOT / "run_stream.py"), FILE, "--source", synthetic(24), "--record", str(made)]
        ended = subprocess.run(command, cwd=ROOT, stdin=subprocess.DEVNULL, stderr=stderr, timeout=120, check=False)
        assert ended.returncode == 0
        assert len(pictures(made)) == 24

    def test_a_terminal_that_stands_still_holds_up_nothing(self, tmp_path: Path) -> None:
        with pipe() as (_, full):
            os.set_blocking(full, False)
            with contextlib.suppress(BlockingIOError):
                while True:
                    os.write(full, bytes(4096))
            os.set_blocking(full, True)
            self.done(tmp_path, full)

    def test_a_reader_who_left_ends_nothing(self, tmp_path: Path) -> None:
        with pipe() as (ours, theirs):
            os.close(os.dup(ours))
            os.dup2(theirs, ours)  # no end to read from is left
            self.done(tmp_path, theirs)

    @pytest.mark.skipif(not Path("/dev/full").exists(), reason="there is no /dev/full")
    def test_a_full_disk_ends_nothing(self, tmp_path: Path) -> None:
        with Path("/dev/full").open("w", encoding="utf-8") as full:
            self.done(tmp_path, full.fileno())

    def test_a_launcher_that_was_stopped_for_long_goes_on(self, tmp_path: Path) -> None:
        made = tmp_path / "made.mp4"
        soon = ("--set", "model.frame_deadline_ms=5000")
        with Running(FILE, "--source", synthetic(200), *soon, "--record", str(made)) as running:
            running.wait_for_frames("file")
            running.send(signal.SIGSTOP)
            psutil.Process(running.stage("composite").pid).wait(PATIENCE_S)  # the stages reach their end without it
            running.send(signal.SIGCONT)
            assert running.exit_code() == 0, running.words
        assert len(pictures(made)) == 200


@contextlib.contextmanager
def pipe() -> Iterator[tuple[int, int]]:
    ours, theirs = os.pipe()
    fcntl.fcntl(theirs, fcntl.F_SETPIPE_SZ, 4096)
    try:
        yield ours, theirs
    finally:
        os.close(ours)
        os.close(theirs)


class TestTheFolderOfSockets:
    def test_that_is_removed_fails_the_run_as_soon_as_somebody_would_need_it(self, tmp_path: Path) -> None:
        with Running(FILE, *LIVE, prepare=with_temporary(tmp_path)) as running:
            running.wait_for("file: live")
            running.wait_for(STARTED)
            [folder] = tmp_path.glob("stream-*")
            for socket in folder.iterdir():
                socket.unlink()
            folder.rmdir()
            running.stage("worker-0").kill()
            assert running.exit_code() == 1
            assert "none can take its place: the run's socket" in running.words

    def test_and_that_of_processes_do_not_outlive_a_killed_launcher(self, tmp_path: Path) -> None:
        with Running(FILE, *LIVE, prepare=with_temporary(tmp_path)) as running:
            running.wait_for("file: live")
            assert {path.name.split("-")[0] for path in tmp_path.iterdir()} == {"pymp", "stream"}
            left = running.stages()
            running.send(signal.SIGKILL)
            running.exit_code()
            assert not psutil.wait_procs(left, timeout=20)[1]
        assert not [*tmp_path.iterdir()]


class TestNames:
    @pytest.mark.parametrize("option", ["--source", "--record"])
    def test_that_are_no_utf_8_are_refused_in_one_sentence(self, tmp_path: Path, option: str) -> None:
        name = os.fsdecode(os.fsencode(tmp_path) + b"/caf\xe9.mp4")
        source = [] if option == "--source" else ["--source", synthetic(12)]
        code, words = run(FILE, *source, option, name)
        assert code == 2
        assert "expected a name in UTF-8" in words
        assert "Traceback" not in words


class TestKilledWorkers:
    def test_of_a_file_cost_no_frame_and_no_pixel(self, tmp_path: Path) -> None:
        """`STREAM_KILLS` says how many; each is of a worker at random, wherever it is at its work."""
        kills = int(os.environ.get("STREAM_KILLS", "6"))
        source, chance = ("--source", synthetic(10 * kills + 40)), random.Random(20_261_129)
        whole, killed = tmp_path / "whole.mp4", tmp_path / "killed.mp4"
        assert run(FILE, *source, *EXACT, "--inline", "--record", str(whole))[0] == 0
        with Running(FILE, *source, *EXACT, "--workers", "2", "--record", str(killed)) as running:
            running.wait_for(STARTED, times=2)
            for death in range(kills):
                running.stage(f"worker-{chance.randrange(2)}").kill()
                running.wait_for("restarting it", times=death + 1)
                running.wait_for(STARTED, times=death + 3)
            assert running.exit_code(600) == 0, running.words
            frames = 10 * kills + 40
            assert delivered(running.words) == (frames, frames)
        one, other = pictures(whole), pictures(killed)
        assert len(one) == len(other) == frames
        assert all((a == b).all() for a, b in zip(one, other, strict=True))
