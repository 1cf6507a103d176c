"""Garments coloured by class, from masks alone: the picture never travels.

python examples/colour_garments.py [ENDPOINT [FOLDER]]           one PNG a second per camera
"""

import sys
from pathlib import Path

import cv2
import numpy as np

from stream.client import Subscriber

endpoint, folder = [*sys.argv[1:], *("tcp://127.0.0.1:5556", "out/masks")[len(sys.argv) - 1 :]]
Path(folder).mkdir(parents=True, exist_ok=True)
shown_ns: dict[str, int] = {}
for frame in Subscriber(endpoint, kinds=["parts"], encoding="lz4"):
    if frame.pts_ns - shown_ns.get(frame.camera, -(10**10)) >= 1_000_000_000:
        shown_ns[frame.camera] = frame.pts_ns
        colours = np.array(frame.classes.palette, np.uint8)
        cv2.imwrite(f"{folder}/{frame.camera}-{frame.seq:06d}.png", colours[frame.parts])
