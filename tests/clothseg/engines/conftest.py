"""Small random networks and pictures: every path of the real ones, in a fraction of their time."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from clothseg.labels import CLASSES
from clothseg.network.architecture import ARCHITECTURES
from clothseg.network.checkpoint import Metadata, save
from clothseg.network.u2net import U2Net


@pytest.fixture(scope="session")
def make_weights(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str, int], Path]:
    """Random weights of a table of stages and a stem, with batch norm statistics as after training."""
    folder = tmp_path_factory.mktemp("weights")

    def make(stages: str, stem: int) -> Path:
        torch.manual_seed(0)
        metadata = Metadata(CLASSES, stages, stem, mean=(0.5, 0.4, 0.3), std=(0.3, 0.2, 0.25), area_px=64 * 64)
        network = U2Net(ARCHITECTURES[metadata.architecture], len(CLASSES))
        for module in network.modules():
            if isinstance(module, torch.nn.BatchNorm2d):
                assert module.running_mean is not None
                assert module.running_var is not None
                module.running_mean.uniform_(-0.5, 0.5)
                module.running_var.uniform_(0.2, 1.5)
                module.weight.data.uniform_(0.5, 1.5)
                module.bias.data.uniform_(-0.3, 0.3)
        network.outconv.weight.data *= 8  # sure of itself, as after training
        path = folder / f"{metadata.architecture}.safetensors"
        save(path, metadata, network.state_dict())
        return path

    return make


@pytest.fixture(scope="session")
def weights(make_weights: Callable[[str, int], Path]) -> Path:
    return make_weights("u2netp", 2)


@pytest.fixture(scope="session")
def make_pictures() -> Callable[[int, int, int], NDArray[np.uint8]]:
    """Pictures (B, h, w, 3) of coloured blocks and noise, so that deep stages see something too."""

    def make(batch: int, height: int, width: int) -> NDArray[np.uint8]:
        rng = np.random.default_rng(0)
        blocks = rng.integers(0, 256, (batch, height // 8 + 1, width // 8 + 1, 3))
        tiles = blocks.repeat(8, 1).repeat(8, 2)[:, :height, :width]
        noisy = tiles + rng.integers(-20, 20, tiles.shape)
        return np.asarray(np.clip(noisy, 0, 255), np.uint8)

    return make
