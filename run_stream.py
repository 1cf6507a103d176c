#!/usr/bin/env python3
"""The command: any video in, cut-outs, garment masks and try-on overlays out, live. See `run_stream.py --help`."""

import os
import sys

from stream.process import forkserver

if __name__ == "__main__":
    # OpenCV's own bound, in every stage, beside ours; it is read when OpenCV is loaded. Over any picture that we take.
    os.environ.setdefault("OPENCV_IO_MAX_IMAGE_PIXELS", str(2**26))
    if "--inline" not in sys.argv:
        forkserver.start()  # first: importing the modules of the stages takes as long as all that follows
    from stream.run.command import main

    sys.exit(main())
