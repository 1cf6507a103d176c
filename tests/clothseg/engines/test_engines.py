"""All engines give what torch gives, and refuse what is not a U2Net of ours in one sentence."""

import pickle
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from clothseg.engines import EngineName, open_engine
from clothseg.engines.choice import Host
from clothseg.model_file import read_metadata
from clothseg.network.checkpoint import load, save

Pictures = Callable[[int, int, int], NDArray[np.uint8]]
OTHERS: list[EngineName] = ["openvino", "onnxruntime"]


def differences(weights: Path, engine: EngineName, pictures: NDArray[np.uint8]) -> NDArray[np.int64]:
    if engine == "onnxruntime":
        pytest.importorskip("onnxruntime")
    ours = open_engine(weights, engine, "fp32", 1)(pictures)
    theirs = open_engine(weights, "torch", "fp32", 1)(pictures)
    assert ours.shape == theirs.shape
    assert ours.dtype == theirs.dtype == np.uint8
    assert np.ptp(theirs) > 100  # the network says something, so that agreement means something
    return np.asarray(np.abs(ours.astype(np.int64) - theirs))


@pytest.mark.parametrize("engine", OTHERS)
@pytest.mark.parametrize("size", [(64, 96), (80, 48), (16, 16), (34, 50)])
def test_engines_agree_with_torch_at_any_size_and_batch(
    weights: Path, make_pictures: Pictures, engine: EngineName, size: tuple[int, int]
) -> None:
    found = differences(weights, engine, make_pictures(2, *size))
    assert found.max() <= 1
    assert found.mean() < 0.01


@pytest.mark.parametrize("engine", OTHERS)
@pytest.mark.parametrize(("stages", "stem"), [("u2netp", 1), ("wide", 2), ("lite0", 2)])
def test_engines_agree_with_torch_for_every_table_of_stages(
    make_weights: Callable[[str, int], Path], make_pictures: Pictures, engine: EngineName, stages: str, stem: int
) -> None:
    assert differences(make_weights(stages, stem), engine, make_pictures(1, 64, 64)).max() <= 1


@pytest.mark.parametrize("engine", ["torch", *OTHERS])
def test_probabilities_sum_to_one(weights: Path, make_pictures: Pictures, engine: EngineName) -> None:
    sums = open_engine(weights, engine, "fp32", 1)(make_pictures(1, 32, 48)).astype(int).sum(1)
    assert abs(sums - 255).max() <= 3  # five roundings


@pytest.mark.parametrize("engine", ["torch", *OTHERS])
def test_one_picture_gives_the_same_alone_and_in_a_batch(
    weights: Path, make_pictures: Pictures, engine: EngineName
) -> None:
    run, pictures = open_engine(weights, engine, "fp32", 1), make_pictures(3, 32, 48)
    alone = np.concatenate([run(picture[None]) for picture in pictures])
    assert np.abs(alone.astype(int) - run(pictures)).max() <= 1


def test_openvino_fp32_gives_the_same_bytes_in_another_process(
    weights: Path, make_pictures: Pictures, tmp_path: Path
) -> None:
    pictures = make_pictures(1, 64, 96)
    np.save(tmp_path / "pictures.npy", pictures)
    program = f"""
from pathlib import Path
import numpy as np
from clothseg.engines import open_engine
run = open_engine(Path({str(weights)!r}), "openvino", "fp32", 2)
np.save({str(tmp_path / "there.npy")!r}, run(np.load({str(tmp_path / "pictures.npy")!r})))
"""
    subprocess.run([sys.executable, "-c", program], check=True, timeout=50)
    here = open_engine(weights, "openvino", "fp32", 2)(pictures)
    assert np.array_equal(here, np.load(tmp_path / "there.npy"))


def test_the_result_belongs_to_the_caller(weights: Path, make_pictures: Pictures) -> None:
    run, pictures = open_engine(weights, "openvino", "fp32", 1), make_pictures(2, 32, 32)
    first = run(pictures[:1])
    kept = first.copy()
    run(pictures[1:])
    assert np.array_equal(first, kept)


def test_the_description_says_what_runs_and_why(weights: Path) -> None:
    assert open_engine(weights, "openvino", "fp32", 2).description == "openvino fp32, 2 threads: as asked"


def test_auto_says_that_it_would_take_int8_were_it_there(weights: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    host = Host(frozenset({"avx512_vnni"}), cuda=False)
    monkeypatch.setattr("clothseg.engines.this_host", lambda: host)
    engine = open_engine(weights, "auto", "auto", 1)
    assert engine.precision == "fp32"
    assert "the CPU has VNNI, but u2netp-stem2.int8.xml" in engine.description
    assert "make it with clothseg export int8" in engine.description


def test_int8_when_asked_for_is_never_replaced(weights: Path) -> None:
    with pytest.raises(FileNotFoundError, match=r"make it with clothseg export int8"):
        open_engine(weights, "openvino", "int8", 1)


class Bomb:
    """Unpickled, it would touch the file it names."""

    def __init__(self, target: Path) -> None:
        self.target = target

    def __reduce__(self) -> tuple[object, tuple[Path]]:
        return Path.touch, (self.target,)


@pytest.mark.parametrize("engine", ["torch", *OTHERS])
def test_a_pickle_is_refused_and_not_executed(tmp_path: Path, engine: EngineName) -> None:
    (tmp_path / "evil.safetensors").write_bytes(pickle.dumps(Bomb(tmp_path / "touched")))
    with pytest.raises(ValueError, match=r"not a safetensors file"):
        open_engine(tmp_path / "evil.safetensors", engine, "fp32", 1)
    assert not (tmp_path / "touched").exists()


@pytest.mark.parametrize("engine", ["torch", *OTHERS])
def test_wrong_weights_are_refused_in_one_sentence(weights: Path, tmp_path: Path, engine: EngineName) -> None:
    metadata, state = load(weights)
    path = tmp_path / "wrong.safetensors"

    def refused(expected: str) -> None:
        with pytest.raises((ValueError, FileNotFoundError), match=expected) as caught:
            open_engine(path, engine, "fp32", 1)
        assert "\n" not in str(caught.value)

    refused("no such weights")
    path.write_bytes(weights.read_bytes()[:-1000])
    refused("damaged safetensors file")
    save(path, metadata, {name: value for name, value in state.items() if name != "side3.weight"})
    refused(r"side3\.weight")
    save(path, metadata, {**state, "stage2.rebnconv1.conv_s1.weight": torch.zeros(16, 64, 1, 1)})
    refused(r"stage2\.rebnconv1\.conv_s1\.weight")
    save(path, metadata, {**state, "stage4.rebnconvin.conv_s1.bias": torch.full((64,), torch.nan)})
    refused("NaN or infinity")
    save(path, type(metadata)(("background", "person"), "u2netp", 2), state)
    refused(r"outconv\.weight|side1\.weight|2 classes")
    save(path, type(metadata)(metadata.classes, "resnet", 2), state)
    refused("unknown architecture 'resnet-stem2'")


def test_the_second_start_takes_the_compiled_model_from_the_cache_and_gives_the_same(
    weights: Path, make_pictures: Pictures, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("platformdirs.user_cache_path", lambda name: tmp_path / name)
    pictures = make_pictures(1, 48, 64)
    first = open_engine(weights, "openvino", "fp32", 1)(pictures)
    (blob,) = (tmp_path / "clothseg" / "openvino").glob("*.blob")
    written = blob.stat().st_mtime_ns
    assert np.array_equal(open_engine(weights, "openvino", "fp32", 1)(pictures), first)
    assert blob.stat().st_mtime_ns == written

    blob.chmod(0o600)
    blob.write_bytes(blob.read_bytes()[:-5000])
    assert np.array_equal(open_engine(weights, "openvino", "fp32", 1)(pictures), first), "damage is noticed"


def test_a_network_of_ours_is_exported_once_and_again_when_it_has_changed(
    weights: Path, make_pictures: Pictures, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("platformdirs.user_cache_path", lambda name: tmp_path / name)
    pictures = make_pictures(1, 32, 32)
    first = open_engine(weights, "openvino", "fp32", 1)(pictures)
    (kept,) = (tmp_path / "clothseg/exported").glob("*/model.xml")
    written = kept.stat().st_mtime_ns
    assert np.array_equal(open_engine(weights, "openvino", "fp32", 1)(pictures), first)
    assert kept.stat().st_mtime_ns == written
    assert read_metadata(kept) == read_metadata(weights), "what it says of itself goes with it"
    assert np.array_equal(open_engine(kept, "openvino", "fp32", 1)(pictures), first)

    metadata, state = load(weights)
    for number in range(6):
        other = tmp_path / f"other{number}.safetensors"
        save(other, metadata, {**state, "side1.bias": state["side1.bias"] + 1 + number})
        assert not np.array_equal(open_engine(other, "openvino", "fp32", 1)(pictures), first)
    assert len(list((tmp_path / "clothseg/exported").iterdir())) == 4, "the oldest are forgotten"


def test_the_cache_on_disk_is_bounded(weights: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("platformdirs.user_cache_path", lambda name: tmp_path / name)
    folder = tmp_path / "clothseg" / "openvino"
    folder.mkdir(parents=True)
    for number in range(20):
        (folder / f"{number}.blob").touch()
    open_engine(weights, "openvino", "fp32", 1)
    assert len(list(folder.iterdir())) == 16


def test_without_a_cache_it_runs_and_says_so(
    weights: Path, make_pictures: Pictures, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "clothseg").touch()
    monkeypatch.setattr("platformdirs.user_cache_path", lambda name: tmp_path / name)
    engine = open_engine(weights, "openvino", "fp32", 1)
    assert "compiled models are not cached" in engine.description
    assert engine(make_pictures(1, 16, 16)).shape == (1, 5, 16, 16)


def test_the_number_of_compiled_sizes_is_bounded(weights: Path, make_pictures: Pictures) -> None:
    from clothseg.engines.openvino import OpenvinoRuntime, exported_model

    engine = OpenvinoRuntime(exported_model(weights)[0], "fp32", 1, "a test's")
    for width in range(16, 176, 16):
        engine(make_pictures(1, 16, width))
    assert engine.compiled_sizes == 8


def test_it_is_made_ready_for_one_size_while_it_runs_at_another(weights: Path, make_pictures: Pictures) -> None:
    engine = open_engine(weights, "openvino", "fp32", 1)
    pictures = make_pictures(1, 32, 32)
    before = engine(pictures)

    def prepare() -> None:
        for width in (32, 48, 64):
            engine.prepare((1, 32, width, 3))

    ready = threading.Thread(target=prepare)
    ready.start()
    while ready.is_alive():
        assert np.array_equal(engine(pictures), before)
    ready.join()


@pytest.mark.parametrize("first", ["clothseg.engines.openvino", "clothseg.training.train.export"])
def test_no_telemetry_is_sent(first: str) -> None:
    """As installed it reports its import to Google Analytics from a thread that forks."""
    told = (
        f"import sys, threading, {first}, openvino.tools.ovc as ovc;"
        "print(sys.modules['openvino_telemetry'], type(ovc.telemetry).__module__, threading.active_count())"
    )
    said = subprocess.run([sys.executable, "-c", told], capture_output=True, text=True, timeout=120, check=True).stdout
    assert said.split()[0] == "None"
    assert "telemetry_stub" in said
    assert said.split()[-1] == "1"
