"""Export weights: `clothseg export int8` (or onnx, openvino, safetensors).

Writes nothing where the export does not agree with torch, and prints the accuracy it loses.
"""

import argparse
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Final

import msgspec
from rich.console import Console
from rich.table import Table

from clothseg import shipped
from clothseg.classes import Pixels
from clothseg.engines import Engine, open_engine
from clothseg.model_file import DEFAULT_WEIGHTS, read_metadata
from clothseg.training.samples import decode_path, read
from clothseg.training.train import export
from clothseg.training.train.export import CalibrationData, ParityBound

SUFFIXES: Final = {"safetensors": ".fp16.safetensors", "onnx": ".onnx", "openvino": ".xml", "int8": ".int8.xml"}

# float32 differs by the rounding of sums alone, float16 storage by its 11 bits, int8 by what calibration leaves.
BOUNDS: Final = {
    "safetensors": ParityBound(0.05, 0.001),
    "onnx": ParityBound(0.01, 0.0001),
    "openvino": ParityBound(0.01, 0.0001),
    "int8": ParityBound(2.0, 0.02),
}
# Pictures the agreement with torch is measured on.
COMPARED: Final = 24


def main(arguments: list[str] | None = None, program: str | None = None) -> int:
    """Export, compare with torch, and only then put the files in place; 1 where they were refused."""
    options = _parser(program).parse_args(arguments)
    try:
        return _export(options)
    except (ValueError, OSError) as error:
        print(f"export: {error}", file=sys.stderr)
        return 1


def _export(arguments: argparse.Namespace) -> int:
    weights, form, size = arguments.weights, arguments.format, arguments.size and tuple(arguments.size)
    out: Path = arguments.out or weights.with_suffix(SUFFIXES[form])
    metadata = read_metadata(weights)
    material = export.with_classes(_read_material(shipped.find(arguments.material)), metadata.class_map.names)
    reference = open_engine(weights, "torch", "fp32", 0)
    inputs = export.calibration_inputs(material, metadata, size)
    with tempfile.TemporaryDirectory(dir=out.parent, prefix=".export-") as folder:
        written = Path(folder) / out.name
        engine = _write(form, weights, written, inputs, size)
        distance = export.parity(engine, reference, inputs[-COMPARED:])
        print(
            f"against torch: mean |Δp| {distance.difference:.4f} of 255 (at most {BOUNDS[form].difference}), "
            f"{distance.share_changed:.3%} of pixels of another class (at most {BOUNDS[form].share_changed:.2%})"
        )
        if not distance.within(BOUNDS[form]):
            raise ValueError(f"{out.name} does not agree with torch within its bound and was not written")
        samples = list(read(material.judged))
        scores = [export.intersection_over_union(run, samples, metadata, size) for run in (reference, engine)]
        Console().print(_table(form, *scores))
        _place(written, out)
    print(f"wrote {out}")
    return 0


def _write(form: str, weights: Path, out: Path, inputs: Sequence[Pixels], size: export.Size) -> Engine:
    if size is not None and form != "onnx":
        raise ValueError(f"only onnx is exported at a fixed size, {form} takes all; leave out --size")
    if form == "onnx":
        return export.to_onnx(weights, out, size)
    if form == "int8":
        return export.to_int8(weights, out, inputs)
    return (export.to_openvino if form == "openvino" else export.to_safetensors)(weights, out)


def _place(written: Path, out: Path) -> None:
    """Move an export into place. Of a pair the .xml goes last, so that no moment shows halves of two exports."""
    if written.suffix == ".xml":
        out.unlink(missing_ok=True)
        written.with_suffix(".bin").replace(out.with_suffix(".bin"))
    written.replace(out)


def _read_material(path: Path) -> CalibrationData:
    try:
        return msgspec.yaml.decode(path.read_bytes(), type=CalibrationData, dec_hook=decode_path)
    except msgspec.DecodeError as error:
        raise ValueError(f"{path}: {error}") from None


def _table(form: str, before: dict[str, float], after: dict[str, float]) -> Table:
    table = Table("class", "IoU torch", f"IoU {form}", "points lost", title="at the network's size")
    for name, score in before.items():
        table.add_row(name, f"{score:.4f}", f"{after[name]:.4f}", f"{100 * (score - after[name]):+.2f}")
    return table


def _parser(program: str | None) -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(program, description=__doc__)
    parser.add_argument("format", choices=list(SUFFIXES))
    parser.add_argument("weights", type=Path, nargs="?", default=DEFAULT_WEIGHTS, help="default: those that ship")
    parser.add_argument("--out", type=Path, help="default: beside the weights, where the engines look for int8")
    parser.add_argument(
        "--material", type=Path, default=Path("configs/export/live.yaml"), help="pictures; default %(default)s"
    )
    parser.add_argument("--size", type=int, nargs=2, metavar=("h", "w"), help="onnx at this size only")
    return parser
