"""MediaPipe's selfie segmenter over pictures or clips, for comparison: writes one grey matte a picture.

It needs an environment of its own, because MediaPipe pins old packages:
`python -m venv .venv-peers && .venv-peers/bin/pip install mediapipe==0.10.21`, then
`.venv-peers/bin/python tools/peer_selfie.py PICTURES_OR_CLIPS OUT`.
"""

import argparse
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import cv2
import mediapipe

EVERY = 5  # frames of a clip: one in so many, as clothseg.training.eval.webcam reads them


def pictures(folder: Path) -> Iterator[tuple[str, Any]]:
    """Names and pictures (H, W, 3) uint8 BGR: photos whole, clips every fifth frame as CLIP_NNN."""
    for path in sorted(folder.iterdir()):
        if path.suffix in {".jpg", ".png"}:
            yield path.stem, cv2.imread(str(path))
        elif path.suffix in {".mkv", ".mp4"}:
            video, number = cv2.VideoCapture(str(path)), 0
            while True:
                more, frame = video.read()
                if not more:
                    break
                if number % EVERY == 0:
                    yield f"{path.stem}_{number:03d}", frame
                number += 1


def main() -> None:
    """Write the mattes."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("pictures", type=Path)
    parser.add_argument("out", type=Path)
    options = parser.parse_args()
    options.out.mkdir(parents=True, exist_ok=True)
    for name, picture in pictures(options.pictures):
        # A segmenter each: it smooths over time, and photos have none.
        with mediapipe.solutions.selfie_segmentation.SelfieSegmentation(model_selection=0) as segmenter:
            matte = segmenter.process(cv2.cvtColor(picture, cv2.COLOR_BGR2RGB)).segmentation_mask
        cv2.imwrite(str(options.out / f"{name}.png"), (matte * 255 + 0.5).astype("uint8"))


if __name__ == "__main__":
    main()
