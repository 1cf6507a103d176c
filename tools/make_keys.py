#!/usr/bin/env python3
"""Makes the CURVE keys that links between hosts are encrypted and authenticated with (docs/hosts.md).

Examples:
  tools/make_keys.py keys capture=reader composite=composite,worker gpu1=worker viewer=subscriber

makes a folder for each host, keys/capture, keys/composite …: copy each to its host alone, readable by its user alone,
and set `transport.keys` to it. `keys/server` is for the hosts where something is bound (capture, composite). A host
added later, or one that may no longer connect, is a file in keys/server/allowed/ROLE/: running streams read them again.
"""

from __future__ import annotations

import argparse
import os
import re
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path

import zmq.auth

sys.path.insert(0, str(Path(__file__).parents[1]))

from stream.transport.keys import HOST, ROLES, SERVER


def make_keys(folder: Path, hosts: Mapping[str, Sequence[str]]) -> None:
    """Write a folder of keys for each host, by the roles it plays, and `server` with who is allowed.

    ValueError for a role that is none; FileExistsError where a host has keys already. What is made the first time is
    the server's pair too; later only hosts are added.
    """
    unknown = [role for roles in hosts.values() for role in roles if role not in ROLES]
    named = all(re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9_.-]*", host) and host != SERVER for host in hosts)
    if unknown or not named or not all(hosts.values()):
        raise ValueError(f"expected HOST=ROLE[,ROLE …] with roles of {', '.join(ROLES)}, got {', '.join(unknown)}")
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    server = folder / SERVER
    if not server.exists():
        _make_pair(server, SERVER)
        _make_pair(server, HOST)  # where something is bound, something connects too
        (server / "allowed").mkdir(mode=0o700)
        for each in ROLES:
            (server / "allowed" / each).mkdir(mode=0o700)
        for role in ("reader", "worker", "composite", "controller"):  # the last is the page's, which dresses visitors
            _copy(server / f"{HOST}.key", server / "allowed" / role / f"{SERVER}.key")
    for host, roles in hosts.items():
        _make_pair(folder / host, HOST)
        _copy(server / f"{SERVER}.key", folder / host / f"{SERVER}.key")
        for role in roles:
            _copy(folder / host / f"{HOST}.key", server / "allowed" / role / f"{host}.key")


def _make_pair(folder: Path, name: str) -> None:
    """A key pair in `folder`, never readable by others, not even while it is written."""
    folder.mkdir(mode=0o700, exist_ok=True)
    if (folder / f"{name}.key_secret").exists():
        raise FileExistsError(f"{folder} holds keys already: choose another name, or remove them")
    with tempfile.TemporaryDirectory(dir=folder) as private:  # mode 0700
        for path in map(Path, zmq.auth.create_certificates(private, name)):
            path.chmod(0o600)
            path.rename(folder / path.name)


def _copy(source: Path, target: Path) -> None:
    with os.fdopen(os.open(target, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
        file.write(source.read_bytes())


def main(arguments: list[str] | None = None) -> int:
    """The command; returns its exit code."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("hosts", nargs="*", metavar="HOST=ROLE[,ROLE …]")
    options = parser.parse_args(arguments)
    try:
        make_keys(
            options.folder, {name: roles.split(",") for name, _, roles in (h.partition("=") for h in options.hosts)}
        )
    except (OSError, ValueError) as error:
        print(error, file=sys.stderr)
        return 1
    print(f"wrote keys to {options.folder}; copy each host's folder to it alone, and set transport.keys to it there")
    return 0


if __name__ == "__main__":
    sys.exit(main())
