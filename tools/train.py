#!/usr/bin/env python3
"""`clothseg train` in a checkout: `python tools/train.py configs/train/live.yaml`, see `--help`."""

import sys

from clothseg.command.train import main

if __name__ == "__main__":
    sys.exit(main())
