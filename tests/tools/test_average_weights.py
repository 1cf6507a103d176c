"""The mean of weights is their mean, and says what it was made of."""

from pathlib import Path

import pytest
import torch

from clothseg.labels import CLASSES
from clothseg.network.architecture import ARCHITECTURES
from clothseg.network.checkpoint import Metadata, load, save
from clothseg.network.u2net import U2Net
from tools.average_weights import average


def write(path: Path, seed: int, stages: str = "u2netp") -> dict[str, torch.Tensor]:
    torch.manual_seed(seed)
    state = U2Net(ARCHITECTURES[f"{stages}-stem2"], len(CLASSES)).state_dict()
    save(path, Metadata(CLASSES, stages, 2, config=f"seed: {seed}", licence="CC0-1.0"), state)
    return state


def test_each_weight_is_the_mean_by_shares_that_need_not_sum_to_one(tmp_path: Path) -> None:
    one, other = write(tmp_path / "one.safetensors", 1), write(tmp_path / "other.safetensors", 2)
    header, mean = average([(3, tmp_path / "one.safetensors"), (1, tmp_path / "other.safetensors")])
    for name, value in one.items():
        if value.is_floating_point():
            assert torch.allclose(mean[name], 0.75 * value + 0.25 * other[name], atol=2e-3)  # kept in float16
    assert header.config == "# 0.75 of:\nseed: 1\n# 0.25 of:\nseed: 2"
    assert header.licence == "CC0-1.0"
    save(tmp_path / "mean.safetensors", header, mean)
    assert load(tmp_path / "mean.safetensors")[1].keys() == one.keys()


def test_two_architectures_have_no_mean(tmp_path: Path) -> None:
    write(tmp_path / "one.safetensors", 1)
    write(tmp_path / "other.safetensors", 2, "lite0")
    with pytest.raises(ValueError, match="is lite0-stem2, expected u2netp-stem2"):
        average([(1, tmp_path / "one.safetensors"), (1, tmp_path / "other.safetensors")])


def test_a_share_of_nothing_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="expected shares above 0"):
        average([(0, tmp_path / "one.safetensors")])
