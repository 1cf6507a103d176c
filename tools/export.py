#!/usr/bin/env python3
"""`clothseg export` in a checkout: `python tools/export.py int8`, see `--help`."""

import sys

from clothseg.command.export import main

if __name__ == "__main__":
    sys.exit(main())
