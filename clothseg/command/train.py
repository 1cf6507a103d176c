"""Train or fine-tune a garment model: `clothseg train configs/train/own.yaml`.

A run that was stopped is continued by the same command. Several processes:
`torchrun --nproc-per-node 2 -m clothseg train …`. Watch it with `tensorboard --logdir runs`.
"""

import argparse
import subprocess
import sys
from collections.abc import Callable
from contextlib import nullcontext
from itertools import islice
from pathlib import Path

import msgspec

from clothseg import shipped
from clothseg.network.checkpoint import Metadata, save
from clothseg.training.eval.evaluation import evaluate
from clothseg.training.eval.metrics import measured
from clothseg.training.eval.predictors import from_weights
from clothseg.training.samples import read
from clothseg.training.train.crowds import CrowdMaker
from clothseg.training.train.loop import Progress, State, Training, TrainingRun, new_network, read_training, train
from clothseg.training.train.pool import SamplePool
from clothseg.training.train.process_group import join_process_group
from clothseg.training.train.progress import ProgressDisplay

_SHOWN = 4  # pictures in TensorBoard


def revision() -> str:
    """The git revision of this code; empty outside a checkout."""
    answer = subprocess.run(["git", "rev-parse", "HEAD"], capture_output=True, text=True, check=False)
    return answer.stdout.strip()


def write_weights(path: Path, training: Training, about: Metadata, state: State, pool: SamplePool) -> None:
    """Write the moving average with all that is known of it, scored where there are validation pictures."""
    config = msgspec.yaml.encode(training, enc_hook=str).decode()
    about = msgspec.structs.replace(about, config=config, data_hash=pool.hash, revision=revision())
    save(path, about, state.average)
    if training.validation is not None:
        report = evaluate(
            read(training.validation), from_weights(path, "torch", "fp32"), lambda: None, training.class_map
        ).report
        save(path, msgspec.structs.replace(about, metrics={"val": measured(report)}), state.average)


def main(arguments: list[str] | None = None, program: str | None = None) -> int:
    """Train as the config says, and write the weights; its exit code: 0. Exits with a sentence on what was wrong."""
    parser = argparse.ArgumentParser(program, description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("config", type=Path)
    parser.add_argument("--out", type=Path, help="folder of the run; default runs/NAME of the config")
    options = parser.parse_args(arguments)
    try:
        run(shipped.find(options.config), options.out or Path("runs") / options.config.stem)
    except (ValueError, OSError, FloatingPointError) as error:
        sys.exit(str(error))
    return 0


def run(config: Path, out: Path) -> None:
    """Train as the config says in the folder `out`, from where it was left."""
    training = read_training(config)
    team = join_process_group()
    network, about = new_network(training)
    state = State(network, training)
    last = out / "state.pt"
    if last.exists():
        state.load(last)
    pool = SamplePool(training.data, training.keep_px)
    crowds = CrowdMaker(training.crowds, pool.samples, pool.chances) if training.crowds else None
    shown = list(islice(read(training.validation), _SHOWN)) if training.validation else []
    silent: nullcontext[Callable[[Progress], None]] = nullcontext(lambda progress: None)
    with ProgressDisplay(out, network, shown) if team.rank == 0 else silent as report:
        train(TrainingRun(training, state, pool, team, crowds), report, last)
    if team.rank == 0:
        write_weights(out / "weights.safetensors", training, about, state, pool)
        print(f"wrote {out / 'weights.safetensors'}")
