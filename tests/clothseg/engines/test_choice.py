"""The rule that picks engine and precision."""

import subprocess
import sys

import pytest

from clothseg.engines.choice import EngineName, Host, Precision, choose_engine

PLAIN = Host(frozenset({"avx2"}), cuda=False)
VNNI = Host(frozenset({"avx512f", "avx512_vnni"}), cuda=False)
AMX = Host(frozenset({"avx512_vnni", "amx_bf16", "amx_tile"}), cuda=False)
GPU = Host(frozenset({"avx512_vnni"}), cuda=True)


@pytest.mark.parametrize(
    ("host", "engine", "precision", "expected"),
    [
        (PLAIN, "auto", "auto", ("openvino", "fp32")),
        (VNNI, "auto", "auto", ("openvino", "int8")),
        (AMX, "auto", "auto", ("openvino", "bf16")),
        (GPU, "auto", "auto", ("torch", "fp16")),
        (VNNI, "auto", "fp32", ("openvino", "fp32")),
        (PLAIN, "auto", "int8", ("openvino", "int8")),
        (GPU, "auto", "int8", ("openvino", "int8")),
        (GPU, "openvino", "auto", ("openvino", "int8")),
        (GPU, "torch", "fp32", ("torch", "fp32")),
        (VNNI, "torch", "auto", ("torch", "fp32")),
        (VNNI, "onnxruntime", "auto", ("onnxruntime", "fp32")),
    ],
)
def test_what_was_asked_and_the_fastest_where_nothing_was(
    host: Host, engine: EngineName, precision: Precision, expected: tuple[str, str]
) -> None:
    assert choose_engine(engine, precision, host)[:2] == expected


@pytest.mark.parametrize(
    ("engine", "precision"), [("openvino", "bf16"), ("torch", "fp16"), ("onnxruntime", "int8"), ("auto", "fp16")]
)
def test_what_the_host_cannot_do_is_refused_and_says_what_it_can(engine: EngineName, precision: Precision) -> None:
    with pytest.raises(ValueError, match="expected one of: openvino int8, openvino fp32, onnxruntime fp32"):
        choose_engine(engine, precision, VNNI)


def test_the_reason_is_reported() -> None:
    assert choose_engine("auto", "auto", AMX).reason == "the CPU has AMX"
    assert choose_engine("openvino", "fp32", AMX).reason == "as asked"


def test_a_cpu_stream_imports_neither_torch_nor_kornia() -> None:
    program = """
import sys, numpy as np
from clothseg.segmenter import Segmenter
Segmenter.load(engine="openvino").probabilities(np.zeros((48, 64, 3), np.uint8))
from clothseg.engines.choice import this_host
assert this_host().cuda or not {"torch", "kornia", "onnxruntime", "nncf"} & set(sys.modules)
"""
    subprocess.run([sys.executable, "-c", program], check=True, timeout=50)
