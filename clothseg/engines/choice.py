"""Which engine, at which precision: one rule over what was asked and what the host has."""

from importlib.util import find_spec
from pathlib import Path
from typing import Final, Literal, NamedTuple

EngineName = Literal["auto", "openvino", "onnxruntime", "torch"]
Precision = Literal["auto", "fp32", "bf16", "fp16", "int8"]

# Device nodes that are there wherever CUDA can be (driver, WSL): asked first, as torch is slow to import.
_CUDA_NODES: Final = ("/dev/nvidiactl", "/dev/dxg")


_READERS: Final = {".onnx": ("openvino", "onnxruntime"), ".xml": ("openvino",)}


class Host(NamedTuple):
    """A machine, as the rule needs it: its CPU's flags as Linux spells them, and a usable CUDA."""

    cpu_flags: frozenset[str]
    cuda: bool

    @property
    def fast_bf16(self) -> bool:
        """Multiplies bf16 in hardware (AMX)."""
        return "amx_bf16" in self.cpu_flags

    @property
    def fast_int8(self) -> bool:
        """Multiplies int8 in hardware (VNNI)."""
        return bool(self.cpu_flags & {"avx512_vnni", "avx_vnni"})


class EngineChoice(NamedTuple):
    """An engine and a precision, never `auto`, and the reason in a few words."""

    engine: str
    precision: str
    reason: str


def choose_engine(engine: EngineName, precision: Precision, host: Host, ending: str = ".safetensors") -> EngineChoice:
    """Choose engine and precision: what was requested, and for `auto` the fastest the host can do.

    `ending` is the model file's: only our own networks run on torch, or in int8 where that lies beside them. Raises
    ValueError where the engine cannot do that precision, here or at all.
    """
    offers = [offer for offer in _candidates(host) if ending == ".safetensors" or _runs(offer, ending)]
    matching = [
        offer for offer in offers if engine in ("auto", offer.engine) and precision in ("auto", offer.precision)
    ]
    if not matching:
        known = ", ".join(f"{offer.engine} {offer.precision}" for offer in offers)
        raise ValueError(f"{engine} at {precision} cannot run on this host; expected one of: {known}")
    best = matching[0]
    requested = engine == best.engine and precision == best.precision
    return best._replace(reason="as asked") if requested else best


def _runs(offer: EngineChoice, ending: str) -> bool:
    """Return whether a candidate can run a file as it is: IR has a precision of its own."""
    return offer.engine in _READERS[ending] and offer.precision in ("fp32", "bf16")


def _candidates(host: Host) -> list[EngineChoice]:
    """All that can run on the host, the fastest first."""
    cuda = [
        EngineChoice("torch", "fp16", "CUDA is here"),
        EngineChoice("torch", "fp32", "CUDA is here"),
    ]
    bf16 = [EngineChoice("openvino", "bf16", "the CPU has AMX")]
    int8 = EngineChoice("openvino", "int8", "the CPU has VNNI" if host.fast_int8 else "the CPU has no VNNI")
    fp32 = EngineChoice("openvino", "fp32", "the CPU has neither AMX nor VNNI")
    return [
        *(cuda if host.cuda else []),
        *(bf16 if host.fast_bf16 else []),
        *([int8, fp32] if host.fast_int8 else [fp32, int8]),
        EngineChoice("onnxruntime", "fp32", "its only precision"),
        *([] if host.cuda else [EngineChoice("torch", "fp32", "without CUDA its only precision")]),
    ]


def this_host() -> Host:
    """Describe this machine. Imports torch only where a CUDA device node exists."""
    return Host(_cpu_flags(), _has_cuda())


def _cpu_flags() -> frozenset[str]:
    """The CPU's flags, none where the system does not list them (then only fp32 is fast for sure)."""
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return frozenset()
    flags = next((line.partition(":")[2] for line in lines if line.startswith("flags")), "")
    return frozenset(flags.split())


def has_cuda_device() -> bool:
    """Whether there may be a CUDA device, usable or not."""
    return any(Path(node).exists() for node in _CUDA_NODES)


def _has_cuda() -> bool:
    if not has_cuda_device() or find_spec("torch") is None:
        return False
    import torch

    return torch.cuda.is_available()
