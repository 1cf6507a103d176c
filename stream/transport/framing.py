"""The JSON header before a message's planes: bounded, and of one version, before anything else in it is read."""

from __future__ import annotations

from typing import TypeVar

import msgspec

from stream.transport import untrusted_json
from stream.transport.codec import Buffer

MAX_HEADER_BYTES = 65_536

Header = TypeVar("Header")


class VersionMismatchError(ValueError):
    """A header of another version of its protocol."""


class _Versioned(msgspec.Struct, frozen=True):
    v: int


def decode_header(buffer: Buffer, kind: type[Header], version: int) -> Header:
    """Decode a header whose `v` is `version`.

    Raises VersionMismatchError for another version, whatever else the header holds, and UntrustedJsonError for anything
    that is not a `kind`.
    """
    got = untrusted_json.decode(buffer, _Versioned, max_bytes=MAX_HEADER_BYTES).v
    if got != version:
        raise VersionMismatchError(f"expected protocol version {version}, got {got}")
    return untrusted_json.decode(buffer, kind, max_bytes=MAX_HEADER_BYTES)
