"""Access: on this host everyone, from other hosts those with the token; a page of another site never."""

from __future__ import annotations

import hmac
import ipaddress
import math
import secrets
import time
from collections import OrderedDict
from collections.abc import Callable, Mapping
from pathlib import Path
from urllib.parse import urlsplit

from stream.settings.config import ConfigError, Web
from stream.web.rate_limiter import RateLimiter

COOKIE = "stream_session"
SESSION_S = 12 * 3600.0
"""How long a session lasts after the login."""
_MIN_TOKEN_CHARS = 16
_LOCAL_NAMES = ("localhost", "127.0.0.1", "::1")
_SESSIONS = 4096
_TRIES_HZ = 0.5
_TRIES_AT_ONCE = 10
_ADDRESSES = 4096


class TooManyTriesError(Exception):
    """The token was tried too often from one address."""


class Access:
    """The rules of one address. `token` is None only on loopback; `clock` is any rising clock in seconds.

    After the token, a client is known by a random session value, which is forgotten with this process.
    """

    def __init__(self, loopback: bool, token: str | None, clock: Callable[[], float] = time.monotonic) -> None:
        self._loopback = loopback
        self._token = token
        self._clock = clock
        self._sessions: OrderedDict[str, float] = OrderedDict()
        self._tries: OrderedDict[str, RateLimiter] = OrderedDict()

    def host_allowed(self, headers: Mapping[str, str]) -> bool:
        """Return whether the request was meant for this server; never where its host is not a valid name.

        On loopback another name is a page elsewhere whose name was made to point here (DNS rebinding).
        """
        try:
            name = urlsplit(f"//{headers.get('host', '')}").hostname
        except ValueError:
            return False
        return name is not None and (not self._loopback or name in _LOCAL_NAMES)

    def origin_allowed(self, headers: Mapping[str, str]) -> bool:
        """Return whether a request comes from our page: browsers send the origin with WebSockets and POSTs."""
        try:
            origin = urlsplit(headers.get("origin", ""))
        except ValueError:
            return False
        return origin.scheme in ("http", "https") and origin.netloc == headers.get("host")

    def inside(self, session: str | None) -> bool:
        """Return whether a session value is valid."""
        return self._token is None or self._sessions.get(session or "", -math.inf) > self._clock()

    def enter(self, token: str, address: str) -> str | None:
        """Return a new session value for the right token, else None; compared in constant time.

        Raises TooManyTriesError where it was tried too often from `address`.
        """
        tries = self._tries.setdefault(address, RateLimiter(_TRIES_HZ, _TRIES_AT_ONCE))
        self._tries.move_to_end(address)
        if len(self._tries) > _ADDRESSES:
            self._tries.popitem(last=False)
        if not tries.allow(self._clock()):
            raise TooManyTriesError
        if self._token is not None and not hmac.compare_digest(self._token.encode(), token.encode()):
            return None
        session = secrets.token_urlsafe(32)
        self._sessions[session] = self._clock() + SESSION_S
        if len(self._sessions) > _SESSIONS:
            self._sessions.popitem(last=False)
        return session


def open_access(settings: Web) -> Access:
    """Return the rules of `settings`; ConfigError for access without a token beyond loopback, or an invalid token."""
    host, _ = settings.address
    loopback = host == "localhost" or (_is_ip(host) and ipaddress.ip_address(host).is_loopback)
    if settings.token is None:
        if not loopback:
            raise ConfigError(
                f"web.bind: {host} can be reached from other hosts, expected web.token too: a file with a secret of "
                f"at least {_MIN_TOKEN_CHARS} characters, as `openssl rand -hex 16` makes it"
            )
        return Access(loopback, None)
    return Access(loopback, read_token(settings.token))


def read_token(path: Path) -> str:
    """The secret in the file at `path`; ConfigError where it cannot be read or is too short to be one."""
    try:
        token = path.read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"web.token: cannot read {path} ({error})") from error
    if len(token) < _MIN_TOKEN_CHARS or not (token.isascii() and token.isprintable()):
        raise ConfigError(
            f"web.token: expected at least {_MIN_TOKEN_CHARS} characters in {path}, all printable ASCII, "
            f"got {len(token)}"
        )
    return token


def _is_ip(host: str) -> bool:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True
