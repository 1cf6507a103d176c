"""JSON from outside: bounded in size, depth and digits before it is decoded, and rejected with one kind of error.

Every text that another process, host or visitor has written is read here: messages between stages, headers of what
is published, requests to the control socket, messages of a page.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any, TypeVar, overload

import msgspec

MAX_DEPTH = 32
"""How deep lists and objects may lie in one another; what we write ourselves does not reach half of it."""
MAX_DIGITS = 19
"""How many digits the whole part of a number may have: every signed 64-bit integer, and none that costs more."""
_MAX_ERROR_CHARS = 200

_LONG_NUMBER = re.compile(rb"[0-9]{%d}" % (MAX_DIGITS + 1))
# A string, which may hold anything; a bracket; or a number, its whole part first. An unfinished string reaches to the
# end, where the decoder rejects it.
_TOKEN = re.compile(rb'"[^"\\]*(?:\\.[^"\\]*)*"?|[\[\]{}]|([0-9]+)(?:\.[0-9]+)?', re.DOTALL)

Decoded = TypeVar("Decoded")


class UntrustedJsonError(ValueError):
    """A text that is not the JSON expected; one sentence with what was expected and what came."""


@overload
def decode(
    text: bytes | memoryview | str,
    kind: type[Decoded],
    *,
    max_bytes: int,
    dec_hook: Callable[[type, Any], Any] | None = None,
) -> Decoded: ...
@overload
def decode(
    text: bytes | memoryview | str, kind: Any, *, max_bytes: int, dec_hook: Callable[[type, Any], Any] | None = None
) -> Any: ...
def decode(
    text: bytes | memoryview | str, kind: Any, *, max_bytes: int, dec_hook: Callable[[type, Any], Any] | None = None
) -> Any:
    """The value in `text` as a `kind`, any that msgspec knows; `dec_hook` is msgspec's, for types it does not know.

    Nothing but UntrustedJsonError leaves, whatever `text` is and whatever `dec_hook` raises.
    """
    size = len(text) if isinstance(text, str) else memoryview(text).nbytes
    if size > max_bytes:  # a character is a byte at least
        raise UntrustedJsonError(f"expected JSON of at most {max_bytes} bytes, got {size}")
    try:
        data = text.encode() if isinstance(text, str) else bytes(text)
        _expect_bounded(data, max_bytes)
        return msgspec.json.decode(data, type=kind, dec_hook=dec_hook)
    except UntrustedJsonError:
        raise
    except Exception as error:
        raise UntrustedJsonError(_sentence(error)) from error


def _expect_bounded(data: bytes, max_bytes: int) -> None:
    """Raise UntrustedJsonError for too much depth or too many digits, which cost stack or time."""
    if len(data) > max_bytes:
        raise UntrustedJsonError(f"expected JSON of at most {max_bytes} bytes, got {len(data)}")
    if data.count(b"[") + data.count(b"{") <= MAX_DEPTH and _LONG_NUMBER.search(data) is None:
        return  # nearly every text: strings need not be separated from the rest
    depth = 0
    for token in _TOKEN.finditer(data):
        first = token[0][:1]
        if first in b"[{":
            depth += 1
            if depth > MAX_DEPTH:
                raise UntrustedJsonError(f"expected JSON at most {MAX_DEPTH} deep, got deeper")
        elif first in b"]}":
            depth -= 1
        elif token[1] is not None and len(token[1]) > MAX_DIGITS:
            raise UntrustedJsonError(f"expected numbers of at most {MAX_DIGITS} digits, got {len(token[1])}")


def _sentence(error: Exception) -> str:
    """An error in one line, however much of the text it repeats."""
    line = " ".join(str(error).split()) or type(error).__name__
    return line if len(line) <= _MAX_ERROR_CHARS else f"{line[:_MAX_ERROR_CHARS]}…"
