"""The peers' side of the comparison, run by their own Python: `peer_process.py PICTURES.npy`.

Says which peers it has, then for each name it reads runs that peer over all pictures and answers with the
milliseconds of each frame; both as a line of JSON. Imports nothing of the project.
"""

import json
import sys
import time
from collections.abc import Callable, Sequence
from typing import Any


def rembg_cutout() -> Callable[[Any], Any]:
    """From BGR to a cut-out as `rembg.remove` makes it, with u2netp."""
    import rembg
    from PIL import Image

    session = rembg.new_session("u2netp")
    return lambda picture: rembg.remove(Image.fromarray(picture[..., ::-1]), session=session)


def mediapipe_cutout() -> Callable[[Any], Any]:
    """From BGR to BGRA with MediaPipe's selfie segmenter."""
    import cv2
    import mediapipe

    segmenter = mediapipe.solutions.selfie_segmentation.SelfieSegmentation(model_selection=0)

    def cut_out(picture: Any) -> Any:
        mask = segmenter.process(cv2.cvtColor(picture, cv2.COLOR_BGR2RGB)).segmentation_mask
        return cv2.merge((*cv2.split(picture), (mask * 255).astype("uint8")))

    return cut_out


def timed(cut_out: Callable[[Any], Any], pictures: Sequence[Any]) -> list[float]:
    """Milliseconds of each picture."""
    taken_ms = []
    for picture in pictures:
        started_ns = time.perf_counter_ns()
        cut_out(picture)
        taken_ms.append((time.perf_counter_ns() - started_ns) / 1e6)
    return taken_ms


def main() -> None:
    """Answer until the input ends."""
    import numpy as np

    pictures = np.load(sys.argv[1])
    peers: dict[str, Callable[[Any], Any]] = {}
    for name, open_peer in (("rembg", rembg_cutout), ("mediapipe", mediapipe_cutout)):
        try:
            peers[name] = open_peer()
        except ImportError:
            continue
        timed(peers[name], pictures[:2])
    print(json.dumps([*peers]), flush=True)
    for line in sys.stdin:
        print(json.dumps(timed(peers[line.strip()], pictures)), flush=True)


if __name__ == "__main__":
    main()
