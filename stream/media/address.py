"""Addresses: their parts, and how to show them without secrets."""

from __future__ import annotations

import os
import re
from pathlib import Path
from urllib.parse import unquote, urlsplit

SCHEME = re.compile(r"^([A-Za-z][A-Za-z0-9+.-]+):")
"""A scheme has at least two letters, so that `C:\\clip.mp4` stays a file."""

_AUTHORITY = re.compile(r"//([^/?#]*)(.*)", re.DOTALL)
_HOST = re.compile(r"(?:[A-Za-z0-9_.-]+|\[[0-9A-Fa-f:.]+\])(?::[0-9]{1,5})?")
_HIDDEN = "***"


def scheme_of(address: str) -> str:
    """The scheme of an address in small letters, empty for a path: `rtsp://host/a` → `rtsp`."""
    found = SCHEME.match(address)
    return found[1].lower() if found else ""


def local_path(address: str) -> Path | None:
    """The file or folder that `address` names; None where it is of a network, a device or a drawn scene.

    What exists is a file, whatever its name looks like (`rec-10:30.mp4`): only other names are searched for a scheme.
    """
    if _exists(address):
        return Path(address)
    match scheme_of(address):
        case "file":
            plain = address.partition(":")[2].removeprefix("//")
            return Path(plain if _exists(plain) else unquote(urlsplit(address).path))
        case "" if not address.startswith("/dev/"):
            return Path(address)
        case _:
            return None


def _exists(path: str) -> bool:
    """Return whether there is such a regular file or folder; False also for what cannot be a name."""
    return os.path.isfile(path) or os.path.isdir(path)


def readable(path: Path) -> str:
    """A path as a message can hold it: bytes of its name that are not UTF-8 are shown as `\\xe9`."""
    return os.fsencode(path).decode(errors="backslashreplace")


def redact(address: str) -> str:
    """`address` fit for a log: of one with a scheme only that, host and port (`rtsp://cam.local:554`); a path as it is.

    Paths and queries hold keys under any name, so nothing of them is shown; where it is not sure which part is the
    host (a password may hold `/`, `#`, `?` and `@`), it is not shown either.
    """
    kind = scheme_of(address)
    if kind == "file" or not (kind or _mistyped(address)):
        return address
    found = _AUTHORITY.fullmatch(address, len(kind) + 1) if kind else None
    if found is None:
        return f"{kind}:{_HIDDEN}" if kind else _HIDDEN
    authority, rest = found.groups()
    host = _HOST.fullmatch(authority.rpartition("@")[2])
    return f"{kind}://{_HIDDEN if host is None or '@' in rest else host[0]}"


def _mistyped(path: str) -> bool:
    """Return whether a path may be meant as an address: `rtsp//me:secret@host`."""
    return "://" in path or ("//" in path and "@" in path)


def reveals(text: str, address: str) -> bool:
    """Return whether `text` repeats a part of `address` that `redact` hides (names of query values aside)."""
    hidden = set(re.findall(r"\w+", re.sub(r"[?&]\w+=", " ", address))) - set(re.findall(r"\w+", redact(address)))
    return not hidden.isdisjoint(re.findall(r"\w+", text))


def escaping_advice(address: str) -> str:
    """Explain, as the end of a sentence, how to escape a user or password that may end the address too early.

    Empty where that cannot be the cause.
    """
    found = _AUTHORITY.fullmatch(address, len(scheme_of(address)) + 1)
    if found is None or not ("@" in found[2] or re.search(r"\s", address)):
        return ""
    return "; in a user or password write / as %2F, # as %23, ? as %3F, @ as %40 and a space as %20"
