"""Metadata of model files, by their ending: safetensors, ONNX, OpenVINO IR, or a YAML file beside one."""

from __future__ import annotations

import io
import xml.etree.ElementTree as ET
from collections.abc import Iterator, Mapping, Set
from pathlib import Path
from typing import IO, Any, Final

import msgspec

from clothseg.network import checkpoint
from clothseg.network.checkpoint import DEFAULT_WEIGHTS, Metadata, from_strings

__all__ = ["DEFAULT_WEIGHTS", "ENDINGS", "read_metadata"]

ENDINGS: Final = (".safetensors", ".onnx", ".xml")
_LARGEST_BYTES: Final = 16 * 2**20  # of metadata; our networks have some kilobytes
# Of protobuf: a field of ONNX's ModelProto that holds StringStringEntryProto {1: key, 2: value}, and the types of
# fields whose length is fixed.
_METADATA_PROPS: Final = 14
_FIXED_BYTES: Final = {1: 8, 5: 4}
# Where OpenVINO keeps our metadata, and what its ONNX reader found.
_RT_INFO: Final = ("clothseg", "framework")


def read_metadata(path: Path) -> Metadata:
    """Read a model file's metadata, without a runtime and without reading the weights.

    A file without metadata is described by a YAML file of its name beside it (docs/models.md). Raises
    FileNotFoundError, or ValueError where the metadata is missing or incomplete.
    """
    if not path.is_file():
        raise FileNotFoundError(
            f"{path}: no such weights; give a {', '.join(ENDINGS)} file, or none for those that ship"
        )
    if path.suffix not in ENDINGS:
        raise ValueError(f"{path}: expected a file that ends in {', '.join(ENDINGS)}")
    if path.suffix == ".safetensors":
        return checkpoint.read_metadata(path)
    strings = _onnx_strings(path) if path.suffix == ".onnx" else _openvino_strings(path)
    side_file = path.with_suffix(".yaml")
    try:
        if "classes" in strings:
            return from_strings(strings)
        if side_file.is_file():
            return _side_file(side_file)
    except (msgspec.MsgspecError, ValueError) as error:
        source = path if "classes" in strings else side_file
        raise ValueError(f"{source}: does not describe a model ({error}); docs/models.md says how") from None
    raise ValueError(f"{path}: says nothing of its classes; put {side_file.name} beside it, as docs/models.md says")


def _side_file(path: Path) -> Metadata:
    """Read a description in YAML; unknown keys are rejected, as they must be misspelt."""
    plain = msgspec.yaml.decode(path.read_bytes(), type=dict[str, Any])
    unknown = sorted(plain.keys() - {*Metadata.__struct_fields__})
    if unknown:
        raise ValueError(f"unknown key {', '.join(unknown)}; expected some of {', '.join(Metadata.__struct_fields__)}")
    return msgspec.convert(plain, Metadata)


def _onnx_strings(path: Path) -> Mapping[str, str]:
    """The metadata of an ONNX file; what else is in it is passed over, not read."""
    strings: dict[str, str] = {}
    try:
        with path.open("rb") as file:
            for entry in _texts(file, path.stat().st_size, {_METADATA_PROPS}):
                pair = dict(enumerate(_texts(io.BytesIO(entry), len(entry), {1, 2})))
                strings[pair[0].decode()] = pair.get(1, b"").decode()
    except (EOFError, KeyError, UnicodeDecodeError):
        raise ValueError(f"{path}: not a readable ONNX file; get or export it again") from None
    return strings


def _texts(file: IO[bytes], size: int, wanted: Set[int]) -> Iterator[bytes]:
    """The content of the `wanted` fields of a protobuf message of `size` bytes; EOFError where it is none."""
    while file.tell() < size:
        tag = _varint(file)
        kind = tag & 7
        length = _varint(file) if kind in (0, 2) else _FIXED_BYTES.get(kind, size)
        if kind != 0 and length > size - file.tell():
            raise EOFError
        if kind == 2 and tag >> 3 in wanted:
            if length > _LARGEST_BYTES:
                raise EOFError
            yield file.read(length)
        elif kind != 0:
            file.seek(length, 1)


def _varint(file: IO[bytes]) -> int:
    value = 0
    for shift in range(0, 70, 7):
        byte = file.read(1)
        if not byte:
            break
        value |= (byte[0] & 127) << shift
        if byte[0] < 128:
            return value
    raise EOFError


def _openvino_strings(path: Path) -> Mapping[str, str]:
    """The metadata of an OpenVINO IR: ours, or what its converter kept of the framework it came from."""
    with path.open("rb") as file:
        file.seek(max(path.stat().st_size - _LARGEST_BYTES, 0))
        end = file.read()
    # The model's own follows those of its layers.
    start = end.rfind(b"<rt_info>")
    stated, _, _ = end[max(start, 0) :].partition(b"</rt_info>")
    try:
        root = ET.fromstring(stated + b"</rt_info>") if start >= 0 else ET.Element("rt_info")
    except ET.ParseError:
        raise ValueError(f"{path}: not a readable OpenVINO model; get or export it again") from None
    source = [{entry.tag: entry.get("value", "") for entry in root.iterfind(f"{key}/*")} for key in _RT_INFO]
    return next((strings for strings in source if "classes" in strings), {})
