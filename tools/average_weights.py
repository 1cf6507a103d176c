"""Average weights of runs that began alike: `python tools/average_weights.py OUT 0.7 A.safetensors 0.3 B.safetensors`.

What a network forgot while it learned something new is partly kept so (Wortsman et al. 2022, arXiv:2109.01903). The
header is that of the first, with the recipe of each.
"""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

import msgspec
from torch import Tensor

from clothseg.network.checkpoint import Metadata, load, save
from clothseg.training.eval.evaluation import evaluate
from clothseg.training.eval.metrics import measured
from clothseg.training.eval.predictors import from_weights
from clothseg.training.samples import read, read_data_set


def average(parts: Sequence[tuple[float, Path]]) -> tuple[Metadata, dict[str, Tensor]]:
    """The weighted mean of some weights, their shares made to sum to 1, and its header.

    Raises ValueError where the weights are of different architectures, or a share is not above 0.
    """
    if not parts or any(share <= 0 for share, _ in parts):
        raise ValueError(f"expected shares above 0, got {[share for share, _ in parts]}")
    total = sum(share for share, _ in parts)
    headers, mean = [], dict[str, Tensor]()
    for share, path in parts:
        header, state = load(path)
        headers.append(header)
        if header.architecture != headers[0].architecture:
            raise ValueError(f"{path} is {header.architecture}, expected {headers[0].architecture} as {parts[0][1]} is")
        for name, value in state.items():
            # A batch norm's count of batches is a whole number that nothing reads: the first one's is kept.
            part = value.float() * (share / total) if value.is_floating_point() else value * (len(headers) == 1)
            mean[name] = mean[name] + part if name in mean else part
    config = "\n".join(
        f"# {share / total:.3g} of:\n{header.config}" for (share, _), header in zip(parts, headers, strict=True)
    )
    return msgspec.structs.replace(headers[0], config=config, metrics={}), mean


def main() -> None:
    """Average and write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("out", type=Path)
    parser.add_argument("parts", nargs="+", metavar="SHARE WEIGHTS", help="a share and a checkpoint of ours, in turns")
    parser.add_argument("--validation", type=Path, help="a data set, YAML, whose measures go into the header")
    options = parser.parse_args()
    try:
        shares = [float(share) for share in options.parts[::2]]
        pairs = list(zip(shares, (Path(path) for path in options.parts[1::2]), strict=True))
        header, mean = average(pairs)
        save(options.out, header, mean)
        if options.validation:
            predict = from_weights(options.out, "torch", "fp32")
            report = evaluate(read(read_data_set(options.validation)), predict, lambda: None).report
            save(options.out, msgspec.structs.replace(header, metrics={"val": measured(report)}), mean)
    except (ValueError, OSError) as error:
        sys.exit(f"{error}")


if __name__ == "__main__":
    main()
