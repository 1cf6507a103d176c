"""A try-on client in 30 lines: every person of a running stream before a beach, in a top of another colour.

python run_stream.py configs/webcam.yaml --publish
python examples/try_on.py [ENDPOINT [OUT.jpg]]           shows a window, or keeps the newest picture in a file
"""

import sys

import cv2
import numpy as np

from stream.client import PublishedFrame, Subscriber


def dressed(frame: PublishedFrame) -> np.ndarray:
    """The cut-out before a gradient, its top in teal, lighter and darker with the folds."""
    colour, alpha = frame.cutout[..., :3], frame.alpha[..., None] / 255
    sky = np.linspace((235, 206, 135), (128, 178, 194), frame.height)[:, None]
    grey = cv2.cvtColor(colour, cv2.COLOR_BGR2GRAY)[..., None] / 128
    top = frame.parts[..., None] == frame.classes.index("top")
    worn = np.where(top, np.clip(grey * (140, 128, 0), 0, 255), colour)
    return (worn * alpha + sky * (1 - alpha)).astype(np.uint8)


for published in Subscriber(*sys.argv[1:2]):
    if len(sys.argv) > 2:
        cv2.imwrite(sys.argv[2], dressed(published))
    else:
        cv2.imshow(published.camera, dressed(published))
        cv2.waitKey(1)
