#!/usr/bin/env python3
"""The command `clothseg` in a checkout: `run_stream.py CONFIG.yaml`, see `run_stream.py --help`."""

import sys

from clothseg.command.main import main

if __name__ == "__main__":
    sys.exit(main())
