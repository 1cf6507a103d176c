#!/usr/bin/env python3
"""`clothseg control` in a checkout: `tools/control.py status`, see `--help`."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

from clothseg.command.control import main

if __name__ == "__main__":
    sys.exit(main())
