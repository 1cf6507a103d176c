"""Every process of a live run killed, and made to stand still: what can be made anew is, all else ends the run."""

from __future__ import annotations

import http.client
import signal
import time
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from typing import Any, NamedTuple

import psutil

from tests.running import Running
from tools.campaign import command, family
from tools.campaign.plan import Plan
from tools.campaign.result import Result, Surroundings, spread
from tools.campaign.viewer import Viewer

KILL_REACH_S, END_REACH_S = 10.0, 6.0
_NOTICE_S = 5.0  # a hang is noticed so long after the deadline of a frame (docs/pipeline.md)
_CAMERA = "front"
_RATE_HZ = 5
_FRAME_DEADLINE_MS = 8000
_PATIENCE_S = 30.0  # beyond the reach
_LOOK_S = 0.1
_AT_ONCE = 2  # runs: one that gets no processor would be taken for one that hangs

REPLACED = {"worker-0": "worker", _CAMERA: "reader", "web": "page"}
"""How the titles of processes that are made anew end, and what they are."""
DECIDING = ("dispatch", "composite")
"""Processes that hold what cannot be made anew."""


class Trial(NamedTuple):
    """What was done to which process; `wrong` says what did not hold, None where all did."""

    done: str
    seconds: float
    wrong: str | None


class Terms(NamedTuple):
    """What all these runs have in common: after how long a worker hangs, and where they are done."""

    frame_deadline_ms: float
    around: Surroundings

    @property
    def hang_reach_s(self) -> float:
        """Within how long a hang is to be over: noticed, and what hung made anew."""
        return self.frame_deadline_ms / 1000 + _NOTICE_S + KILL_REACH_S

    def reach_s(self, number: int) -> float:
        """Within how long what makes the process anew is to be done, after that signal."""
        return KILL_REACH_S if number == signal.SIGKILL else self.hang_reach_s


class Lively(NamedTuple):
    """A live run with a page, and who watches it."""

    run: Running
    viewer: Viewer
    page_port: int


def measure(plan: Plan, around: Surroundings) -> list[Result]:
    """Do both to every process: to those that are made anew in one run, to each other in a run of its own."""
    begun_s = time.monotonic()
    terms = Terms(command.frame_deadline_ms(_FRAME_DEADLINE_MS), around)
    with ThreadPoolExecutor(_AT_ONCE) as pool:
        jobs = [pool.submit(_speechless, plan.hangs_s, terms), pool.submit(_replaced, terms)]
        jobs += [pool.submit(_ended, stage, number, terms) for number in _SIGNALS for stage in DECIDING]
        jobs += [pool.submit(_orphaned, terms)]
        try:
            trials = [trial for job in jobs for trial in job.result()]
        finally:
            pool.shutdown(wait=False, cancel_futures=True)  # after Ctrl-C only those in progress are waited for
    wrong = [trial for trial in trials if trial.wrong is not None]
    return [
        Result(
            part="stages",
            fault="SIGKILL and SIGSTOP of each process of a live run: " + ", ".join(trial.done for trial in trials),
            reach=f"worker, reader, page: back {KILL_REACH_S:g} s after a kill, {terms.hang_reach_s:g} s after a "
            f"hang; dispatcher, composite: exit code 1 with the cause, after {END_REACH_S:g} s or as long; "
            "nothing outlives the supervisor, and nothing waits for it",
            trials=len(trials),
            held=len(trials) - len(wrong),
            measured=spread([trial.seconds for trial in trials if trial.wrong is None]),
            seconds=time.monotonic() - begun_s,
            failures=tuple(f"{trial.done}: {trial.wrong}" for trial in wrong),
        )
    ]


_SIGNALS: Mapping[int, str] = {signal.SIGKILL: "killed", signal.SIGSTOP: "standing still"}


def _lively(stack: ExitStack, name: str, terms: Terms) -> Lively:
    """A run that shows its camera."""
    published, page = command.free_ports(2)
    settings: dict[str, Any] = {
        **command.LIGHT,
        "model": {"threads": 1, "frame_deadline_ms": terms.frame_deadline_ms},
        "pace": "off",  # a frame then proves that the network lives
        "cameras": {_CAMERA: command.synthetic(_RATE_HZ)},
        "outputs": [command.publisher(published)],
        "web": {"bind": f"127.0.0.1:{page}"},
    }
    run = stack.enter_context(command.running(terms.around.room, name.replace(" ", "-"), settings))
    viewer = stack.enter_context(Viewer(command.tcp(published), [_CAMERA]))
    command.wait_for_first_frames(run, viewer, _CAMERA)
    return Lively(run, viewer, page)


# What is made anew.


def _replaced(terms: Terms) -> list[Trial]:
    with ExitStack() as stack:
        lively = _lively(stack, "replaced", terms)
        _answers(lively, 0.0, _PATIENCE_S)  # the page is up
        trials = [
            _hurt(lively, title, what, number, terms.reach_s(number))
            for number in _SIGNALS
            for title, what in REPLACED.items()
        ]
        wrong = command.stopped(lively.run)
        return [*trials, Trial("Ctrl-C after all that", 0.0, "; ".join(wrong) or None)]


def _hurt(lively: Lively, title: str, what: str, number: int, reach_s: float) -> Trial:
    """Send a process a signal and wait until its work is done again."""
    done = f"{what} {_SIGNALS[number]}"
    victim = lively.run.stage(title)
    hurt_s = time.monotonic()
    victim.send_signal(number)
    back: Callable[[Lively, float, float], bool] = _answers if what == "page" else _shows
    if not back(lively, hurt_s, reach_s + _PATIENCE_S):
        if victim.is_running():
            victim.send_signal(signal.SIGCONT)  # for the next trial
        return Trial(done, time.monotonic() - hurt_s, f"not back after {reach_s + _PATIENCE_S:g} s")
    back_s = time.monotonic() - hurt_s
    return Trial(done, back_s, None if back_s <= reach_s else f"back after {back_s:.1f} s only")


def _shows(lively: Lively, after_s: float, timeout_s: float) -> bool:
    """Whether a frame captured after that time is shown."""
    return lively.viewer.wait(_CAMERA, after_s + 1.0, timeout_s) is not None  # one that was in flight proves nothing


def _answers(lively: Lively, _after_s: float, timeout_s: float) -> bool:
    """Whether the page is served."""
    until_s = time.monotonic() + timeout_s
    while time.monotonic() < until_s:
        connection = http.client.HTTPConnection("127.0.0.1", lively.page_port, timeout=1)
        try:
            connection.request("GET", "/")
            if connection.getresponse().status == 200:
                return True
        except (OSError, http.client.HTTPException):
            time.sleep(_LOOK_S)
        finally:
            connection.close()
    return False


# What ends the run.


def _ended(stage: str, number: int, terms: Terms) -> list[Trial]:
    """A process that cannot be replaced is hurt: all ends, with its name as the cause, reported once."""
    done = f"{stage} {_SIGNALS[number]}"
    reach_s = END_REACH_S if number == signal.SIGKILL else terms.hang_reach_s
    with ExitStack() as stack:
        run = _lively(stack, done, terms).run
        left = run.stages()
        hurt_s = time.monotonic()
        run.stage(stage).send_signal(number)
        over = _wait(lambda: run.over, reach_s + _PATIENCE_S)
        ended_s = time.monotonic() - hurt_s
        wrong = _wrong_end(run, stage, ended_s, reach_s) if over else [f"the run goes on after {ended_s:.0f} s"]
        _end(left, wrong if over else [])
    return [Trial(done, ended_s, "; ".join(wrong) or None)]


def _wrong_end(run: Running, stage: str, ended_s: float, reach_s: float) -> list[str]:
    code = run.exit_code()
    wrong = [] if ended_s <= reach_s else [f"the run ended after {ended_s:.1f} s only"]
    wrong += [] if code == 1 else [f"exit code {code}, expected 1"]
    causes = [line for line in run.words.splitlines() if "failed: " in line]
    return wrong + ([] if len(causes) == 1 and stage in causes[0] else [f"the cause was told as {causes}"])


def _orphaned(terms: Terms) -> list[Trial]:
    """The supervisor is killed: its stages notice."""
    with ExitStack() as stack:
        run = _lively(stack, "orphaned", terms).run
        left = run.stages()
        killed_s = time.monotonic()
        run.send(signal.SIGKILL)
        gone = _wait(lambda: not family.alive(left), KILL_REACH_S)
        wrong: list[str] = []
        _end(left, wrong)
    return [Trial("supervisor killed", time.monotonic() - killed_s, None if gone else "; ".join(wrong))]


def _speechless(length_s: float, terms: Terms) -> list[Trial]:
    """The supervisor stands still, as when its terminal is held: frames go on."""
    with ExitStack() as stack:
        lively = _lively(stack, "speechless", terms)
        still_s = time.monotonic()
        lively.run.send(signal.SIGSTOP)
        time.sleep(length_s)
        shows = lively.viewer.wait(_CAMERA, still_s + length_s - 2, 2.0) is not None
        lively.run.send(signal.SIGCONT)
        wrong = [] if shows else ["no frame came at the end"]
        wrong += command.stopped(lively.run)
    return [Trial(f"supervisor standing still for {length_s:g} s", 0.0, "; ".join(wrong) or None)]


def _end(left: Iterable[psutil.Process], wrong: list[str]) -> None:
    """End what outlived its run, by process id, and say so."""
    for process in family.alive(list(left)):
        wrong.append(f"process {process.pid} was left behind")
        process.kill()


def _wait(done: Callable[[], bool], timeout_s: float) -> bool:
    until_s = time.monotonic() + timeout_s
    while not done():
        if time.monotonic() > until_s:
            return False
        time.sleep(_LOOK_S)
    return True
