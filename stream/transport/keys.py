"""CURVE keys of links between hosts: a key a host, the roles it may play, and secrets only where they belong.

A folder made by `tools/make_keys.py` holds `server.key_secret` where something is bound, `host.key_secret` and the
public `server.key` where something connects, and in `allowed/ROLE/` the public keys of the hosts that may play a role.
"""

from __future__ import annotations

import ipaddress
from pathlib import Path
from typing import Literal, get_args

import zmq.auth

Role = Literal["reader", "worker", "composite", "subscriber", "controller"]
ROLES: tuple[Role, ...] = get_args(Role)
SERVER = "server"
HOST = "host"
SECRET_MODE = 0o600


def load(keys: Path, name: str) -> tuple[bytes, bytes]:
    """A key pair in the folder `keys`; ValueError where it is missing or others can read it."""
    path = keys / f"{name}.key_secret"
    if not path.is_file():
        raise ValueError(f"no {path.name} in {keys}: make the keys with tools/make_keys.py {keys}")
    if path.stat().st_mode & 0o077:
        raise ValueError(f"{path} can be read by others: chmod 600 {path}")
    public, secret = zmq.auth.load_certificate(path)
    return public, secret or b""


def server_key(keys: Path) -> bytes:
    """The public key of what is connected to; ValueError where it is missing."""
    path = keys / f"{SERVER}.key"
    if not path.is_file():
        raise ValueError(f"no {path.name} in {keys}: copy it from the host where something is bound")
    return zmq.auth.load_certificate(path)[0]


class Allowed:
    """The public keys that may play one of some roles: read again at every handshake, so that a change counts at once.

    It is what pyzmq's authenticator asks (`configure_curve_callback`).
    """

    def __init__(self, keys: Path, roles: tuple[Role, ...]) -> None:
        self._folders: dict[Role, Path] = {role: keys / "allowed" / role for role in roles}

    def callback(self, domain: str, key: bytes) -> bool:
        """Return whether the holder of a public key (Z85) may connect."""
        return bool(self.roles(key))

    def roles(self, key: bytes) -> frozenset[Role]:
        """Which of the roles the holder of a public key (Z85) may play."""
        return frozenset(role for role, folder in self._folders.items() if key in _public_keys(folder))


def _public_keys(folder: Path) -> list[bytes]:
    """Read the keys in a folder, in Z85; a file that is no key is skipped, for it lets no one in."""
    found = []
    for path in sorted(folder.glob("*.key")):
        try:
            found.append(zmq.auth.load_certificate(path)[0])
        except (OSError, ValueError):
            continue
    return found


def open_endpoint(endpoint: str | None, keys: Path | None) -> bool:
    """Return whether an endpoint is bound beyond loopback without keys."""
    if endpoint is None or keys is not None or not endpoint.startswith("tcp://"):
        return False
    host = endpoint.removeprefix("tcp://").rpartition(":")[0].strip("[]")
    try:
        return not ipaddress.ip_address(host).is_loopback
    except ValueError:  # a name, an interface, or `*`, which is every network
        return host != "localhost"


def warnings(endpoints: dict[str, tuple[str | None, Path | None]]) -> list[str]:
    """A sentence for each setting, by its name, whose endpoint is open beyond this host; for the check at start."""
    return [
        f"{setting}: {endpoint} is open to anyone who reaches it: make keys (tools/make_keys.py) or use loopback"
        for setting, (endpoint, keys) in endpoints.items()
        if open_endpoint(endpoint, keys)
    ]
