#!/usr/bin/env python3
"""Makes the CURVE keys that links between hosts are encrypted and authenticated with: `make_keys.py FOLDER`.

Copy the folder to every host, readable by its user alone, and set `transport.keys` to it. The binding
ends (capture, composite) use `server`, the connecting ends `client`; only keys in `allowed/` may connect.
"""

from __future__ import annotations

import argparse
import shutil
from pathlib import Path

import zmq.auth


def make_keys(folder: Path) -> None:
    """Write the key files into `folder`, made with mode 0700; FileExistsError where there are some."""
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    if (folder / "server.key_secret").exists():
        raise FileExistsError(f"{folder} holds keys already: choose another folder, or remove them")
    for name in ("server", "client"):
        _, secret = zmq.auth.create_certificates(folder, name)
        Path(secret).chmod(0o600)
    (folder / "allowed").mkdir(mode=0o700, exist_ok=True)
    shutil.copy(folder / "client.key", folder / "allowed" / "client.key")


def main() -> None:
    """The command."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    folder = parser.parse_args().folder
    try:
        make_keys(folder)
    except OSError as error:
        parser.exit(1, f"{error}\n")
    print(f"wrote keys to {folder}; copy it to every host and set transport.keys: {folder}")


if __name__ == "__main__":
    main()
