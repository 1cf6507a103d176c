"""The network has the original's parameters, takes any size, and a wider one starts as the narrower."""

import pytest
import torch

from clothseg.network.architecture import ARCHITECTURES
from clothseg.network.checkpoint import DEFAULT_WEIGHTS, load
from clothseg.network.u2net import PictureToProbabilities, U2Net, load_original
from clothseg.training.train.widening import widen

NARROW = ARCHITECTURES["u2netp-stem2"]


def test_it_has_as_many_parameters_as_the_published_networks() -> None:
    counts = {name: sum(p.numel() for p in U2Net(ARCHITECTURES[name], 1).parameters()) for name in ("u2netp", "u2net")}
    assert counts == {"u2netp": 1_131_181, "u2net": 44_009_869}


def test_it_names_its_parameters_as_the_original() -> None:
    names = U2Net(ARCHITECTURES["u2netp"], 1).state_dict().keys()
    assert {
        "stage1.rebnconvin.conv_s1.weight",
        "stage1.rebnconv7.bn_s1.running_var",
        "stage5.rebnconv4.conv_s1.bias",
        "stage5d.rebnconv1d.bn_s1.weight",
        "stage1d.rebnconv6d.conv_s1.weight",
        "side6.bias",
        "outconv.weight",
    } <= names
    assert not any(name.startswith(("stage6d", "side7", "stage1.rebnconv7d")) for name in names)


@pytest.mark.parametrize("size", [(16, 16), (48, 80), (50, 34)])
@pytest.mark.parametrize("name", ["u2netp", "u2netp-stem2", "lite0-stem2"])
def test_the_fused_map_has_the_size_of_the_picture_and_sides_halve(name: str, size: tuple[int, int]) -> None:
    network = U2Net(ARCHITECTURES[name], 5).eval()
    with torch.inference_mode():
        outputs = network(torch.zeros(2, 3, *size))
    assert outputs[0].shape == (2, 5, *size)
    assert len(outputs) == 7
    heights = [output.shape[2] for output in outputs[1:]]
    assert heights[0] == size[0]
    assert heights == sorted(heights, reverse=True)


def test_coarse_outputs_are_the_same_sides_without_the_finer_work() -> None:
    network = U2Net(NARROW, 5).eval()
    picture = torch.randn(1, 3, 64, 48)
    with torch.inference_mode():
        every, coarse = network(picture), network.coarse(picture, 3)
    assert len(coarse) == 4
    assert all(torch.equal(one, other) for one, other in zip(every[3:], coarse, strict=True))


@pytest.mark.parametrize("name", ["wide-stem2", "wider-stem2"])
def test_a_wider_network_starts_as_the_function_of_the_narrower(name: str) -> None:
    narrow, wide = U2Net(NARROW, 5), U2Net(ARCHITECTURES[name], 5)
    for module in narrow.modules():  # statistics unlike those of a new network
        if isinstance(module, torch.nn.BatchNorm2d):
            torch.nn.init.uniform_(module.get_buffer("running_mean"), -0.5, 0.5)
            torch.nn.init.uniform_(module.get_buffer("running_var"), 0.5, 2)
    widen(wide, ARCHITECTURES[name], narrow.state_dict(), NARROW)
    picture = torch.randn(1, 3, 64, 48)
    with torch.inference_mode():
        pairs = list(zip(narrow.eval()(picture), wide.eval()(picture), strict=True))
    assert all(torch.allclose(one, other, atol=1e-4) for one, other in pairs)


def test_gradients_reach_what_widening_added() -> None:
    wide = U2Net(ARCHITECTURES["wide-stem2"], 5)
    widen(wide, ARCHITECTURES["wide-stem2"], U2Net(NARROW, 5).state_dict(), NARROW)
    wide.train()(torch.randn(2, 3, 64, 64))[0].square().mean().backward()
    added = wide.get_submodule("stage3.rebnconv2d.conv_s1").weight.grad[:16, 32:48]  # type: ignore[index]
    assert added.abs().max() > 0


def test_a_network_is_not_narrowed() -> None:
    with pytest.raises(ValueError, match="as wide or narrower"):
        widen(U2Net(NARROW, 5), NARROW, {}, ARCHITECTURES["wide-stem2"])


def test_what_is_no_u_block_is_not_widened_but_loaded_as_it_is() -> None:
    lite = ARCHITECTURES["lite0-stem2"]
    source, target = U2Net(lite, 5), U2Net(lite, 5)
    widen(target, lite, source.state_dict(), lite)
    assert torch.equal(
        source.get_parameter("stage1.entry.conv_s1.weight"), target.get_parameter("stage1.entry.conv_s1.weight")
    )
    with pytest.raises(ValueError, match="only residual U-blocks"):
        widen(target, lite, U2Net(NARROW, 5).state_dict(), NARROW)


def test_public_checkpoints_load_by_name_also_out_of_data_parallel() -> None:
    source, target = U2Net(NARROW, 5), U2Net(NARROW, 5)
    old = {f"module.{k}": v for k, v in source.state_dict().items() if "num_batches" not in k}
    load_original(target, old)
    assert torch.equal(source.get_parameter("outconv.weight"), target.get_parameter("outconv.weight"))


def test_a_checkpoint_of_another_network_is_refused_with_what_differs() -> None:
    with pytest.raises(ValueError, match=r"outconv.*expected \(20,\), got \(16,\)"):
        load_original(U2Net(NARROW, 5), U2Net(NARROW, 4).state_dict())
    with pytest.raises(ValueError, match="no such parameter"):
        load_original(U2Net(NARROW, 5), {**U2Net(NARROW, 5).state_dict(), "head.weight": torch.zeros(1)})


def test_the_weights_that_ship_fit_their_description_and_answer_in_bytes() -> None:
    metadata, state = load(DEFAULT_WEIGHTS)
    network = U2Net(ARCHITECTURES[metadata.architecture], len(metadata.classes))
    load_original(network, state)
    whole = PictureToProbabilities(network, metadata.mean, metadata.std).eval()
    with torch.inference_mode():
        planes = whole(torch.zeros(1, 32, 48, 3, dtype=torch.uint8))
    assert planes.dtype == torch.uint8
    assert planes.shape == (1, 5, 32, 48)
