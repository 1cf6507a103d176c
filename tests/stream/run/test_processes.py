"""The table of processes: every row can be run, and says enough for the supervisor to look after it."""

from __future__ import annotations

import importlib
import inspect

import pytest

from stream.process import forkserver
from stream.process.pipe import ReaderLost, WorkerLost
from stream.run.processes import PROCESSES, STAGES, ProcessType, Restart
from stream.settings.config import Camera, Model, Run, Web

RUN = Run(cameras={"front": Camera(source="synthetic:"), "side": Camera(source="camera:0")}, model=Model(workers=3))


def names(settings: Run, stages: set[str]) -> list[str]:
    return [name for kind in PROCESSES if kind.stages <= stages for name in kind.names(settings)]


@pytest.mark.parametrize("kind", PROCESSES, ids=lambda kind: kind.module)
def test_every_module_can_be_served(kind: ProcessType) -> None:
    serve = importlib.import_module(kind.module).serve
    assert list(inspect.signature(serve).parameters) == ["settings", "endpoints", "name", "supervisor"]


def test_whatever_a_run_always_has_is_read_before_it_is_forked() -> None:
    always = {kind.module for kind in PROCESSES if kind.names(RUN)}
    assert always <= set(forkserver._PRELOADED)


def test_each_camera_has_a_reader_and_each_worker_a_process() -> None:
    everywhere = names(RUN, set(STAGES))
    assert sum("worker" in name for name in everywhere) == 3
    assert everywhere[3:] == ["composite", "dispatch", "front", "side"]


def test_a_stage_alone_is_its_own_processes() -> None:
    assert names(RUN, {"composite"}) == ["composite"]
    assert names(RUN, {"capture"}) == ["dispatch", "front", "side"]


def test_the_page_needs_both_sides_of_the_workers() -> None:
    with_page = Run(cameras=RUN.cameras, web=Web())
    assert "web" in names(with_page, {"capture", "composite"})
    assert "web" not in names(with_page, {"capture"})
    assert "web" not in names(RUN, set(STAGES))


def test_the_run_is_over_when_those_that_cannot_be_restarted_are() -> None:
    assert {kind.module for kind in PROCESSES if kind.decides_run} == {
        kind.module for kind in PROCESSES if kind.restart is Restart.NEVER
    }


def test_dispatch_hears_of_lost_workers_and_readers_only() -> None:
    told = [kind.lost("name", "name.7", "why", True) for kind in PROCESSES if kind.lost is not None]
    assert told == [WorkerLost("name.7"), ReaderLost("name", "why", True)]
