"""Label pictures no one labelled with one or more models of ours, to train on: writes a folder of images and masks.

Tagged photos of Clothing Co-Parsing: `python tools/pseudo_label.py ccp configs/datasets/ccp-val.yaml OUT`; one that is
not tagged `dress` is given none. Webcam clips of people in top and bottom, after tools/peer_selfie.py:
`python tools/pseudo_label.py clips CLIPS OUT --peer MATTES`. Places without people, from a still camera whose frame 700
shows no one: `python tools/pseudo_label.py empty CLIP OUT --empty-at 700`.
"""

import argparse
from collections.abc import Iterable, Iterator
from pathlib import Path

import scipy.io

from clothseg.labels import BOTTOM, PERSON, TOP, load_label_map
from clothseg.network.checkpoint import DEFAULT_WEIGHTS
from clothseg.training.eval.webcam import read_clip
from clothseg.training.samples import Sample, read_data_set, read_index_mask
from clothseg.training.train.pseudo_labels import Labeller, ccp_pictures, empty_frames, tagged_ccp, write_samples

_PLACES = 24  # empty frames that are kept


def tagged(source: Path, labeller: Labeller) -> Iterator[Sample]:
    """The tagged photos of Clothing Co-Parsing with the masks the model gives them."""
    data = read_data_set(source)
    if data.labels is None:
        raise ValueError(f"{source}: needs a label map; set `labels`")
    names = [str(cell[0]) for cell in scipy.io.loadmat(data.root / "label_list.mat")["label_list"][0]]
    for name, allowed in tagged_ccp(data, names, load_label_map(data.labels).table(names)):
        picture = ccp_pictures(data, name)
        yield Sample(name, picture, labeller(picture, allowed))


def clips(folder: Path, peer: Path, labeller: Labeller) -> Iterator[Sample]:
    """Frames of clips, the person where the peer is sure, without a dress."""
    for path in sorted(folder.glob("*.mkv")):
        for frame in read_clip(path):
            matte = read_index_mask(peer / f"{frame.name}.png")
            yield Sample(frame.name, frame.picture, labeller(frame.picture, {0, PERSON, TOP, BOTTOM}, matte))


def main() -> None:
    """Label and write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("kind", choices=("ccp", "clips", "empty"))
    parser.add_argument(
        "source", type=Path, help="a data set, YAML (ccp), a folder of videos (clips), or a video (empty)"
    )
    parser.add_argument("out", type=Path)
    parser.add_argument("--peer", type=Path, help="person mattes of the clips' frames")
    parser.add_argument("--empty-at", type=int, default=0, help="number of a frame in which no one is")
    parser.add_argument("--weights", type=Path, nargs="+", default=[DEFAULT_WEIGHTS], help="one or more; their mean")
    options = parser.parse_args()
    if options.kind == "clips" and options.peer is None:
        parser.error("clips need --peer, a folder of person mattes from tools/peer_selfie.py")
    found: Iterable[Sample]
    if options.kind == "empty":
        found = empty_frames(options.source, options.empty_at, _PLACES)
    elif options.kind == "ccp":
        found = tagged(options.source, Labeller(options.weights))
    else:
        found = clips(options.source, options.peer, Labeller(options.weights))
    print(f"wrote {write_samples(found, options.out)} pictures to {options.out}")


if __name__ == "__main__":
    main()
