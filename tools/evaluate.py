#!/usr/bin/env python3
"""`clothseg evaluate` in a checkout: `python tools/evaluate.py configs/datasets/ccp-val.yaml`, see `--help`."""

import sys

from clothseg.command.evaluate import main

if __name__ == "__main__":
    sys.exit(main())
