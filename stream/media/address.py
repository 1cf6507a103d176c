"""What an address is made of, and how it is shown: never with its secrets."""

from __future__ import annotations

import re

SCHEME = re.compile(r"^([A-Za-z][A-Za-z0-9+.-]+):")
"""A scheme has at least two letters, so that `C:\\clip.mp4` stays a file."""

_USER = re.compile(r"(?<=://)[^/?#\s]*@")
_SECRET = re.compile(
    r"((?:^|[?&;#])[^=&;#\s]*(?:token|key|pass|pwd|secret|auth|sig|credential|session|user|streamid)[^=&;#\s]*=)[^&]*",
    re.IGNORECASE,
)
"""Up to the next `&`: a stream id of SRT (`#!::u=anna,r=live`) and its passphrase may hold anything else."""


def scheme(address: str) -> str:
    """The scheme of an address in small letters, empty for a path: `rtsp://host/a` → `rtsp`."""
    found = SCHEME.match(address)
    return found[1].lower() if found else ""


def redact(address: str) -> str:
    """`address` fit for a log: user and password, and query values named like a secret, become `***`."""
    if "://" not in address and not scheme(address):
        return address
    return _SECRET.sub(r"\1***", _USER.sub("***@", address))
