"""Progress of a run: a progress bar, and TensorBoard's curves and pictures."""

from pathlib import Path
from types import TracebackType
from typing import Final, Self

import cv2
import numpy as np
import torch
from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeRemainingColumn
from rich.progress import Progress as Bar

from clothseg.network.checkpoint import IMAGENET_MEAN, IMAGENET_STD
from clothseg.network.transforms import network_size, to_network
from clothseg.network.u2net import PictureToProbabilities, U2Net
from clothseg.training.eval.evaluation import case_view
from clothseg.training.eval.predictors import from_probabilities
from clothseg.training.samples import Sample
from clothseg.training.train.loop import Progress

_PICTURES_EVERY: Final = 100  # steps
_LINE_EVERY: Final = 10  # steps, where no bar can be drawn


class ProgressDisplay:
    """Call it with each step's progress. `folder` is where TensorBoard looks; `shown` are painted now and then."""

    def __init__(self, folder: Path, network: U2Net, shown: list[Sample]) -> None:
        from torch.utils.tensorboard import SummaryWriter

        self._writer = SummaryWriter(str(folder))
        self._network, self._last_shown = network, shown
        columns = (BarColumn(), MofNCompleteColumn(), TextColumn("{task.description}"), TimeRemainingColumn())
        self._bar = Bar(*columns)
        self._task = self._bar.add_task("starting")

    def __enter__(self) -> Self:
        self._bar.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._bar.stop()
        self._writer.close()

    def __call__(self, progress: Progress) -> None:
        """Show one step."""
        text = f"loss {progress.loss:.3f}, {progress.seconds:.1f} s a step"
        self._bar.update(self._task, completed=progress.step, total=progress.steps, description=text)
        if not self._bar.console.is_terminal and progress.step % _LINE_EVERY == 0:
            self._bar.console.print(f"{progress.step} of {progress.steps}: {text}")
        for name in ("loss", "learning_rate", "seconds"):
            self._writer.add_scalar(name, getattr(progress, name), progress.step)
        if progress.step % _PICTURES_EVERY == 0:
            for sample in self._last_shown:
                view = cv2.cvtColor(self._view(sample), cv2.COLOR_BGR2RGB)
                self._writer.add_image(sample.name, view, progress.step, dataformats="HWC")

    def _view(self, sample: Sample) -> np.ndarray[tuple[int, ...], np.dtype[np.uint8]]:
        """Return picture, truth and current prediction."""
        height, width = sample.mask.shape
        whole = PictureToProbabilities(self._network, IMAGENET_MEAN, IMAGENET_STD).eval()
        picture = torch.from_numpy(to_network(sample.picture, network_size(height, width, 76_800, 16)))
        with torch.inference_mode():
            planes = whole(picture[None])[0].numpy()
        return case_view(sample, from_probabilities(planes, (height, width)))
