"""Public checkpoints become ours once, as the same function, without running what is in them."""

import pickle
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from clothseg.network.architecture import ARCHITECTURES
from clothseg.network.checkpoint import load
from clothseg.network.u2net import U2Net, load_original
from tools import import_checkpoint


@pytest.fixture
def convert(monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """The command."""

    def run(*words: object) -> None:
        monkeypatch.setattr(sys, "argv", ["import_checkpoint.py", *map(str, words)])
        import_checkpoint.main()

    return run


def test_a_salient_object_network_keeps_its_probabilities(tmp_path: Path, convert: Callable[..., None]) -> None:
    original = U2Net(ARCHITECTURES["u2netp"], 1).eval()
    torch.save({f"module.{k}": v for k, v in original.state_dict().items()}, tmp_path / "u2netp.pth")
    convert(tmp_path / "u2netp.pth", tmp_path / "out.safetensors")
    about, state = load(tmp_path / "out.safetensors")
    assert about.classes == ("background", "person")
    network = U2Net(ARCHITECTURES[about.architecture], 2).eval()
    load_original(network, state)
    picture = torch.randn(1, 3, 64, 64)
    with torch.inference_mode():
        before, after = original(picture)[0].sigmoid()[:, 0], network(picture)[0].softmax(1)[:, 1]
    assert (before - after).abs().max() < 5e-3  # stored as fp16


class Trap:
    """Runs a command where it is unpickled."""

    def __init__(self, proof: Path) -> None:
        self.proof = proof

    def __reduce__(self) -> tuple[object, ...]:
        return (Path.touch, (self.proof,))


@pytest.mark.parametrize("kind", ["code", "garbage", "empty"])
def test_a_file_with_anything_but_tensors_is_refused_and_runs_nothing(
    tmp_path: Path, convert: Callable[..., None], kind: str
) -> None:
    proof, source = tmp_path / "ran", tmp_path / "x.pth"
    source.write_bytes({"code": pickle.dumps(Trap(proof), protocol=2), "garbage": b"abc", "empty": b""}[kind])
    with pytest.raises(SystemExit, match=r"x\.pth: not a file of tensors alone"):
        convert(source, tmp_path / "out.safetensors")
    assert not proof.exists()
    assert not (tmp_path / "out.safetensors").exists()
