"""Training resumes bit for bit, stops on a loss that is no number, and does what its configuration says."""

import signal
import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch

from clothseg.classes import USUAL
from clothseg.training.samples import DataSet, Sample
from clothseg.training.train import loop
from clothseg.training.train.augmentation import Augmentation, make_batch
from clothseg.training.train.crowds import CrowdMaker, Crowds
from clothseg.training.train.loop import (
    Phase,
    Progress,
    State,
    Training,
    TrainingRun,
    learning_rate,
    new_network,
    phase_at,
    read_training,
    set_trainable,
    train,
)
from clothseg.training.train.pool import SamplePool
from clothseg.training.train.process_group import ProcessGroup

ROOT = Path(__file__).parents[4]
ALONE = ProcessGroup(0, 1)


@pytest.fixture
def pictures(tmp_path: Path) -> DataSet:
    """Four pictures of a person in a top and a bottom."""
    rng = np.random.default_rng(7)
    for folder in ("images", "masks"):
        (tmp_path / folder).mkdir()
    for number in range(4):
        mask = np.zeros((96, 64), np.uint8)
        mask[10:90, 20:44] = 1
        mask[30:50, 20:44], mask[50:80, 20:44] = 2, 3
        picture = rng.integers(0, 60, (96, 64, 3), np.uint8) + mask[:, :, None] * np.uint8(40)
        cv2.imwrite(str(tmp_path / f"images/{number}.png"), picture)
        cv2.imwrite(str(tmp_path / f"masks/{number}.png"), mask)
    return DataSet("folder", tmp_path)


@pytest.fixture(autouse=True)
def one_thread() -> Iterator[None]:
    """Tiny networks gain nothing from a second thread, and wait for it on a busy machine."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


def tiny(data: DataSet, steps: int = 4, **changes: object) -> Training:
    phases = (
        Phase(steps // 2, area_px=1024, batch=2, learning_rate=1e-3, finest=3, frozen=("stage1", "stage2")),
        Phase(steps - steps // 2, area_px=1024, batch=2, learning_rate=1e-3),
    )
    return Training("u2netp-stem2", (data,), phases, **changes)  # type: ignore[arg-type]


def begin(training: Training) -> TrainingRun:
    network, _ = new_network(training)
    pool = SamplePool(training.data, training.keep_px)
    crowds = CrowdMaker(training.crowds, pool.samples, pool.chances) if training.crowds else None
    return TrainingRun(training, State(network, training), pool, ALONE, crowds)


def ignore(progress: Progress) -> None:
    assert progress.loss > 0


def same(one: dict[str, torch.Tensor], other: dict[str, torch.Tensor]) -> bool:
    return one.keys() == other.keys() and all(torch.equal(value, other[name]) for name, value in one.items())


@pytest.mark.parametrize("crowds", [None, Crowds(share=0.5)], ids=["photos", "crowds"])
def test_a_resumed_run_is_bit_for_bit_the_run_that_was_never_stopped(
    pictures: DataSet, tmp_path: Path, crowds: Crowds | None
) -> None:
    training = tiny(pictures, crowds=crowds)
    whole = begin(training)
    train(whole, ignore, tmp_path / "whole.pt")

    class KilledError(Exception):
        """Stands for a kill between two saves."""

    def kill_at_four(progress: Progress) -> None:
        if progress.step == 4:
            raise KilledError

    stopped = begin(tiny(pictures, save_every_s=0.0, crowds=crowds))
    with pytest.raises(KilledError):
        train(stopped, kill_at_four, tmp_path / "part.pt")
    resumed = begin(training)
    resumed.state.load(tmp_path / "part.pt")
    assert resumed.state.step == 3
    train(resumed, ignore, tmp_path / "part.pt")

    assert same(resumed.state.network.state_dict(), whole.state.network.state_dict())
    assert same(resumed.state.average, whole.state.average)


def test_frozen_stages_keep_every_bit_while_the_others_learn(pictures: DataSet, tmp_path: Path) -> None:
    training = Training(
        "u2netp-stem2",
        (pictures,),
        (Phase(2, area_px=1024, batch=2, learning_rate=1e-3, finest=3, frozen=("stage1", "stage2")),),
    )
    run = begin(training)
    before = {name: value.clone() for name, value in run.state.network.state_dict().items()}
    train(run, ignore, tmp_path / "state.pt")
    after = run.state.network.state_dict()
    changed = {name.split(".")[0] for name in before if not torch.equal(before[name], after[name])}
    assert {"stage3", "stage6", "stage3d", "side3"} <= changed
    assert not changed & {"stage1", "stage2", "stage1d", "side1", "outconv"}


def test_training_lowers_the_loss(pictures: DataSet, tmp_path: Path) -> None:
    losses: list[float] = []
    phases = (Phase(12, area_px=1024, batch=4, learning_rate=3e-3, warmup_steps=2),)
    run = begin(Training("u2netp-stem2", (pictures,), phases))
    train(run, lambda progress: losses.append(progress.loss), tmp_path / "state.pt")
    assert np.mean(losses[-3:]) < 0.8 * np.mean(losses[:3])


def test_crowds_are_their_share_of_what_is_learned_from_and_never_all(
    pictures: DataSet, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made: list[int] = []

    def counted(
        samples: Sequence[Sample],
        backgrounds: Sequence[Sample],
        size: tuple[int, int],
        settings: Augmentation,
        rng: np.random.Generator,
        *,
        framed: Sequence[Sample] = (),
        garments: range = USUAL.garments,
    ) -> tuple[torch.Tensor, torch.Tensor]:
        made.append(len(framed))
        return make_batch(samples, backgrounds, size, settings, rng, framed=framed, garments=garments)

    monkeypatch.setattr(loop, "make_batch", counted)
    run = begin(tiny(pictures, steps=12, crowds=Crowds(share=1)))
    train(run, ignore, tmp_path / "state.pt")
    assert made == [1] * 12  # of batches of two


def test_a_loss_that_is_no_number_stops_and_names_the_batch_and_keeps_what_was_good(
    pictures: DataSet, tmp_path: Path
) -> None:
    run = begin(tiny(pictures, save_every_s=0.0))

    def poison_after_two(progress: Progress) -> None:
        if progress.step == 3:
            raise AssertionError("a step with a loss that is no number was reported")
        if progress.step == 2:
            run.state.network.register_forward_pre_hook(lambda *_: (torch.full((2, 3, 32, 32), float("nan")),))

    with pytest.raises(FloatingPointError, match=r"step 2 is nan; the batch was \d, \d"):
        train(run, poison_after_two, tmp_path / "state.pt")
    saved = torch.load(tmp_path / "state.pt", weights_only=True)
    assert saved["step"] == 2
    assert all(torch.isfinite(value).all() for value in saved["average"].values())


PROGRAM = """
import sys
from pathlib import Path
import torch
from clothseg.training.train.loop import State, TrainingRun, new_network, read_training, train
from clothseg.training.train.pool import SamplePool
from clothseg.training.train.process_group import ProcessGroup

torch.set_num_threads(1)
training = read_training(Path(sys.argv[1]))
network, _ = new_network(training)
pool = SamplePool(training.data, training.keep_px)
run = TrainingRun(training, State(network, training), pool, ProcessGroup(0, 1))
train(run, lambda progress: print(progress.step, flush=True), Path(sys.argv[2]))
"""


def test_a_process_killed_at_any_moment_continues_identically(pictures: DataSet, tmp_path: Path) -> None:
    config = tmp_path / "own.yaml"
    config.write_text(
        f"architecture: u2netp-stem2\ndata: [{{layout: folder, root: {pictures.root}}}]\nsave_every_s: 0\n"
        "phases: [{steps: 8, area_px: 1024, batch: 2, learning_rate: 1.0e-3}]\n"
    )
    command = [sys.executable, "-c", PROGRAM, str(config), str(tmp_path / "killed.pt")]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert [process.stdout.readline() for _ in range(3)] == ["1\n", "2\n", "3\n"]
        process.send_signal(signal.SIGKILL)

    resumed, whole = begin(read_training(config)), begin(read_training(config))
    resumed.state.load(tmp_path / "killed.pt")
    assert 2 <= resumed.state.step < 8
    train(resumed, ignore, tmp_path / "killed.pt")
    train(whole, ignore, tmp_path / "whole.pt")
    assert same(resumed.state.network.state_dict(), whole.state.network.state_dict())
    assert same(resumed.state.average, whole.state.average)


def test_phases_follow_each_other_and_end() -> None:
    first, second = Phase(3, 1024, 2, 1e-3), Phase(2, 1024, 2, 1e-4)
    assert [phase_at((first, second), step) for step in range(5)] == [
        *((first, step) for step in range(3)),
        *((second, step) for step in range(2)),
    ]
    with pytest.raises(ValueError, match="the run has ended"):
        phase_at((first, second), 5)


def test_the_learning_rate_rises_and_falls() -> None:
    phase = Phase(100, 1024, 2, learning_rate=1.0, warmup_steps=10)
    rates = [learning_rate(phase, step) for step in range(100)]
    assert rates[0] < 0.11
    assert max(rates) == max(rates[8:12])
    assert rates[-1] < 0.03
    assert rates[10:] == sorted(rates[10:], reverse=True)


def test_an_unknown_setting_is_refused_with_its_place(tmp_path: Path) -> None:
    config = tmp_path / "own.yaml"
    config.write_text("architecture: u2netp-stem2\ndata: []\nphases: []\nlearning_rte: 1\n")
    with pytest.raises(ValueError, match="learning_rte"):
        read_training(config)


@pytest.mark.parametrize("config", sorted((ROOT / "configs/train").glob("*.yaml")), ids=lambda path: path.stem)
def test_every_configuration_that_ships_is_valid(config: Path) -> None:
    training = read_training(config)
    if training.start is not None and not (ROOT / training.start).exists():
        pytest.skip(f"{training.start} is not here")
    network, _ = new_network(training)
    for phase in training.phases:
        set_trainable(network, phase.frozen)
    assert training.phases


def test_a_start_with_an_encoder_beside_it_is_refused(tmp_path: Path) -> None:
    config = tmp_path / "own.yaml"
    config.write_text(
        "architecture: lite0-stem2\nstart: some.safetensors\nencoder: efficientnet-lite0\ndata: []\nphases: []\n"
    )
    with pytest.raises(ValueError, match="expected `start` or `encoder`, got both"):
        read_training(config)
