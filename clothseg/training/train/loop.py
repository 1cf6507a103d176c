"""Training: one loop over steps, each a function of the state, the seed and its number alone.

No random state passes from step to step, so a run that was killed continues bit for bit from its last save.
"""

import io
import math
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Literal, NamedTuple

import msgspec
import numpy as np
import torch
from torch import Tensor, nn

from clothseg.classes import ClassEntry, ClassMap, class_map
from clothseg.labels import CLASSES
from clothseg.network.architecture import ARCHITECTURES
from clothseg.network.checkpoint import IMAGENET_MEAN, IMAGENET_STD, Metadata, load, write_atomically
from clothseg.network.transforms import network_size, normalise
from clothseg.network.u2net import U2Net
from clothseg.training.samples import DataSet, Sample, decode_path
from clothseg.training.train.augmentation import Augmentation, make_batch
from clothseg.training.train.crowds import CrowdMaker, Crowds
from clothseg.training.train.losses import supervised
from clothseg.training.train.pool import SamplePool
from clothseg.training.train.pretrained import efficientnet_lite0, encoder_state
from clothseg.training.train.process_group import ProcessGroup, all_reduce_gradients, all_reduce_mean
from clothseg.training.train.widening import widen


class Phase(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A stretch of training with one size of picture and one fall of the learning rate."""

    steps: int
    area_px: int  # pixels of a picture at the network's input
    batch: int  # pictures a step, in each process
    learning_rate: float  # the peak, reached after `warmup_steps`, then falling to a fiftieth as a cosine
    warmup_steps: int = 50
    finest: int = 0  # 0: all outputs; n: side outputs n … 6 alone, the work of the finer ones is saved
    frozen: tuple[str, ...] = ()  # modules that stay as they are, their batch statistics too


class Training(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """All that decides a run."""

    architecture: str  # a key of ARCHITECTURES
    data: tuple[DataSet, ...]
    phases: tuple[Phase, ...]
    classes: tuple[str | ClassEntry, ...] = CLASSES  # in the order of a `ClassMap`
    validation: DataSet | None = None  # scored at the end; the measures go into the weights
    start: Path | None = None  # weights of this architecture or a narrower one; none: from nothing
    encoder: Literal["as-started", "efficientnet-lite0"] = "as-started"  # or as ImageNet taught it; not with `start`
    about: str = ""  # the data, in words, for who reads the weights' header
    licence: str = ""  # of the weights
    aspects: tuple[float, ...] = (1.45, 1.45, 1.0, 0.75)  # height over width of a batch, drawn evenly
    augmentation: Augmentation = Augmentation()
    crowds: Crowds | None = None  # some of the pictures are crowds made of the others' figures; none: none are
    precision: Literal["fp32", "bf16"] = "fp32"  # bf16 pays only where the processor multiplies it
    weight_decay: float = 0.01
    ema: float = 0.99  # share of the moving average that each step keeps
    keep_px: int = 110_000  # pictures are kept in memory at this size
    save_every_s: float = 120.0
    seed: int = 1

    @property
    def class_map(self) -> ClassMap:
        """The classes, by index in the masks."""
        return class_map(self.classes)


class Progress(msgspec.Struct, frozen=True):
    """Progress of one step."""

    step: int
    steps: int
    loss: float
    learning_rate: float
    seconds: float


class State:
    """The network, its moving average and the optimizer: all that a run remembers."""

    def __init__(self, network: U2Net, training: Training) -> None:
        self.network = network
        self.average = {k: v.detach().clone() for k, v in network.state_dict().items()}
        self.optimizer = torch.optim.AdamW(network.parameters(), weight_decay=training.weight_decay, fused=True)
        self.step = 0

    def save(self, path: Path) -> None:
        """Write it all, whole or not at all."""
        content = io.BytesIO()
        state = {"network": self.network.state_dict(), "average": self.average, "step": self.step}
        torch.save({**state, "optimizer": self.optimizer.state_dict()}, content)
        write_atomically(path, content.getvalue())

    def load(self, path: Path) -> None:
        """Continue where `save` left off."""
        state = torch.load(path, weights_only=True)
        self.network.load_state_dict(state["network"])
        self.average = state["average"]
        self.optimizer.load_state_dict(state["optimizer"])
        self.step = state["step"]


class TrainingRun(NamedTuple):
    """All parts of a training: its settings, its state, its samples, and its process group."""

    training: Training
    state: State
    pool: SamplePool
    group: ProcessGroup
    crowds: CrowdMaker | None = None


def read_training(path: Path) -> Training:
    """Read a training configuration, YAML; ValueError for unknown keys and impossible values."""
    try:
        training = msgspec.yaml.decode(path.read_bytes(), type=Training, dec_hook=decode_path)
    except msgspec.DecodeError as error:
        raise ValueError(f"{path}: {error}; configs/train/live.yaml shows every setting") from None
    if training.architecture not in ARCHITECTURES:
        known = ", ".join(ARCHITECTURES)
        raise ValueError(f"{path}: unknown architecture {training.architecture!r}; expected one of {known}")
    if training.start is not None and training.encoder != "as-started":
        raise ValueError(f"{path}: expected `start` or `encoder`, got both; the weights of `start` hold an encoder")
    return _with_classes(path, training)


def _with_classes(path: Path, training: Training) -> Training:
    """Return the training with its classes set in each data set; ValueError where they are not in the usual order."""
    listed = tuple(entry if isinstance(entry, str) else entry.name for entry in training.classes)
    try:
        names = training.class_map.names
    except ValueError as error:
        raise ValueError(f"{path}: {error}") from None
    if listed != names:  # masks of the user's own hold these indices
        raise ValueError(f"{path}: expected the classes in the order {', '.join(names)}, got {', '.join(listed)}")
    with_classes = [msgspec.structs.replace(data, classes=names) for data in training.data]
    judged = training.validation and msgspec.structs.replace(training.validation, classes=names)
    return msgspec.structs.replace(training, data=tuple(with_classes), validation=judged)


def new_network(training: Training) -> tuple[U2Net, Metadata]:
    """The network to train: from its start weights, widened where they are narrower, or from nothing.

    Raises ValueError where the start weights or the encoder do not fit the architecture.
    """
    torch.manual_seed(training.seed)
    architecture = ARCHITECTURES[training.architecture]
    network = U2Net(architecture, len(training.classes))
    if training.start is not None:
        metadata, state = load(training.start)
        widen(network, architecture, state, ARCHITECTURES[metadata.architecture])
    elif training.encoder == "efficientnet-lite0":
        network.load_state_dict(encoder_state(architecture, efficientnet_lite0()), strict=False)
    network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    stages = training.architecture.removesuffix(f"-stem{architecture.stem}")
    about = Metadata(training.classes, stages, architecture.stem, data=training.about, licence=training.licence)
    return network, about


def phase_at(phases: Sequence[Phase], step: int) -> tuple[Phase, int]:
    """The phase a step belongs to, and the step's number within it. Raises ValueError past the last one."""
    for phase in phases:
        if step < phase.steps:
            return phase, step
        step -= phase.steps
    raise ValueError(f"step {step} past the last phase; the run has ended")


def learning_rate(phase: Phase, step: int) -> float:
    """A linear rise, then half a cosine down to a fiftieth (Loshchilov and Hutter 2017)."""
    rise = min(1.0, (step + 1) / max(1, phase.warmup_steps))
    fall = 0.5 + 0.5 * math.cos(math.pi * step / phase.steps)
    return phase.learning_rate * rise * (0.02 + 0.98 * fall)


def train(run: TrainingRun, on_progress: Callable[[Progress], None], save: Path) -> None:
    """Run the steps that are left; the first of the team saves to `save` now and then and at the end.

    Raises FloatingPointError on a loss that is not finite, naming the batch; `save` then still holds the last
    state that was good.
    """
    training, state = run.training, run.state
    total = sum(phase.steps for phase in training.phases)
    saved_at = time.monotonic()
    while state.step < total:
        began = time.monotonic()
        phase, step = phase_at(training.phases, state.step)
        rate = learning_rate(phase, step)
        loss = train_step(run, phase, rate)
        on_progress(Progress(state.step, total, loss, rate, time.monotonic() - began))
        if run.group.rank == 0 and (time.monotonic() - saved_at > training.save_every_s or state.step == total):
            state.save(save)
            saved_at = time.monotonic()


def train_step(run: TrainingRun, phase: Phase, rate: float) -> float:
    """One step of the optimizer; returns the team's loss."""
    training, state, pool, team, crowds = run
    rng = np.random.default_rng((training.seed, state.step))
    # All of a team draw one shape, so that no one waits for a larger batch, and then each its own pictures.
    aspect = training.aspects[rng.integers(len(training.aspects))]
    size = network_size(round(1000 * aspect), 1000, phase.area_px, 16)
    own = np.random.default_rng((training.seed, state.step, team.rank, 1)) if team.rank else rng
    made = _crowds(crowds, phase.batch, size, own) if crowds else []
    samples = pool.draw(phase.batch - len(made), own)
    garments = training.class_map.garments
    pictures, labels = make_batch(
        samples, pool.samples, size, training.augmentation, own, framed=made, garments=garments
    )
    set_trainable(state.network, phase.frozen)
    with torch.autocast("cpu", torch.bfloat16, enabled=training.precision == "bf16"):
        outputs = _outputs(state.network, pictures, phase.finest)
    loss = supervised([output.float() for output in outputs], labels)
    mean_loss = all_reduce_mean(loss.item(), team)
    if not math.isfinite(mean_loss):
        raise FloatingPointError(f"the loss of step {state.step} is {loss.item()}; the batch was {_named(samples)}")
    loss.backward()  # type: ignore[no-untyped-call]
    all_reduce_gradients(state.network, team)
    for group in state.optimizer.param_groups:
        group["lr"] = rate
    nn.utils.clip_grad_norm_(state.network.parameters(), 5.0)
    state.optimizer.step()
    state.optimizer.zero_grad(set_to_none=True)
    update_average(state.average, state.network.state_dict(), min(training.ema, (1 + state.step) / (10 + state.step)))
    state.step += 1
    return mean_loss


def _crowds(maker: CrowdMaker, batch: int, size: tuple[int, int], rng: np.random.Generator) -> list[Sample]:
    """Crowds for a batch, as many as chance gives their share, but never all of it."""
    count = min(int(rng.binomial(batch, maker.settings.share)), batch - 1)
    crowds = [maker.make(size, rng) for _ in range(count)]
    return [Sample("crowd", crowd.picture, crowd.mask) for crowd in crowds]


def _outputs(network: U2Net, pictures: Tensor, finest: int) -> tuple[Tensor, ...]:
    inputs = normalise(pictures, IMAGENET_MEAN, IMAGENET_STD).contiguous(memory_format=torch.channels_last)
    outputs: tuple[Tensor, ...] = network.coarse(inputs, finest) if finest else network(inputs)
    return outputs


def _named(samples: Sequence[Sample]) -> str:
    return ", ".join(sample.name for sample in samples)


def set_trainable(network: nn.Module, frozen: Sequence[str]) -> None:
    """Set a network to train, but for the modules that are frozen: no gradient, batch statistics as they are."""
    network.train()
    for name, parameter in network.named_parameters():
        parameter.requires_grad_(name.split(".", 1)[0] not in frozen)
    for name in frozen:
        network.get_submodule(name).eval()


def update_average(average: dict[str, Tensor], current: dict[str, Tensor], keep: float) -> None:
    """Exponential moving average of parameters and batch statistics (Polyak and Juditsky 1992), in place."""
    for name, value in current.items():
        if value.is_floating_point():
            average[name].lerp_(value, 1 - keep)
        else:
            average[name].copy_(value)
