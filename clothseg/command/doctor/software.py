"""Python, the packages that a stream needs, and what each extra would add."""

from __future__ import annotations

import platform
import re
import sys
from collections.abc import Iterator
from importlib import import_module, metadata
from typing import Final

from clothseg.command.doctor.finding import Finding

_OLDEST: Final = (3, 11)
_DISTRIBUTION: Final = "clothseg"
_CLIENT: Final = "clothseg-client"
_REQUIREMENT = re.compile(r"""([A-Za-z0-9._-]+)[^;]*(?:;.*\bextra\s*==\s*['"]([\w-]+)['"])?""")
_LOADED: Final = {
    "av": "",
    "cv2": "sudo apt install libgl1 libglib2.0-0",
    "msgspec": "",
    "numpy": "",
    "openvino": "",
    "zmq": "",
}
"""Modules that load libraries of the system, and what most often lacks: being installed is not enough."""
_NOT_FOR_USERS: Final = ("all", "test")


def software() -> Iterator[Finding]:
    """Python and the packages."""
    yield Finding("system", "ok", f"{platform.platform()}, {platform.machine()}")
    yield python(sys.version_info[:3])
    try:
        needed = requirements(metadata.requires(_DISTRIBUTION) or [])
    except metadata.PackageNotFoundError:
        yield Finding("clothseg", "missing", "runs from a folder, not installed", "in a checkout: make setup")
        return
    yield Finding("clothseg", "ok", metadata.version(_DISTRIBUTION))
    yield from _both_distributions()
    yield packages(needed.pop("", []))
    yield from loading()
    yield from extras(needed)


def python(version: tuple[int, int, int]) -> Finding:
    """Whether Python is new enough."""
    found = f"{'.'.join(map(str, version))} ({sys.executable})"
    if version[:2] >= _OLDEST:
        return Finding("Python", "ok", found)
    return Finding("Python", "fatal", found, f"install Python {'.'.join(map(str, _OLDEST))} or newer")


def requirements(lines: list[str]) -> dict[str, list[str]]:
    """Names of distributions by the extra that asks for them, under "" what everybody needs; from `Requires-Dist`."""
    by_extra: dict[str, list[str]] = {}
    for line in lines:
        if (parts := _REQUIREMENT.match(line)) is not None and parts[1] != _DISTRIBUTION:
            by_extra.setdefault(parts[2] or "", []).append(parts[1])
    return by_extra


def packages(names: list[str]) -> Finding:
    """The versions of what everybody needs."""
    versions = {name: _version(name) for name in sorted(names)}
    lacking = [name for name, version in versions.items() if version is None]
    if lacking:
        return Finding("packages", "fatal", f"without {', '.join(lacking)}", "pip install clothseg")
    return Finding("packages", "ok", ", ".join(f"{name} {version}" for name, version in versions.items()))


def loading() -> Iterator[Finding]:
    """Whatever is installed and cannot be loaded."""
    for name, advice in _LOADED.items():
        try:
            import_module(name)
        except ImportError as error:
            yield Finding(name, "fatal", f"cannot be loaded: {error}", advice or "install it anew")


def extras(needed: dict[str, list[str]]) -> Iterator[Finding]:
    """Which extras are complete."""
    for extra in sorted(needed.keys() - {*_NOT_FOR_USERS}):
        lacking = [name for name in sorted(set(needed[extra])) if _version(name) is None]
        if lacking:
            command = f"pip install 'clothseg[{extra}]'"
            yield Finding(f"[{extra}]", "missing", f"without {', '.join(lacking)}", command)
        else:
            yield Finding(f"[{extra}]", "ok", "complete")


def _both_distributions() -> Iterator[Finding]:
    """A complaint where the subscriber's own distribution lies over the same files."""
    if (version := _version(_CLIENT)) is not None:
        both = f"{version} beside clothseg, which holds the same files"
        yield Finding(
            _CLIENT, "missing", both, f"pip uninstall {_CLIENT}; pip install --force-reinstall --no-deps clothseg"
        )


def _version(name: str) -> str | None:
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return None
