#!/usr/bin/env python3
"""The command: any video in, cut-outs, garment masks and try-on overlays out, live. See `run_stream.py --help`."""

import sys

from stream.process import forkserver

if __name__ == "__main__":
    if "--inline" not in sys.argv:
        forkserver.begin()  # first: reading the rooms of the stages takes as long as all that follows
    from stream.run.command import main

    sys.exit(main())
