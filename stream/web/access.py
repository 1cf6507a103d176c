"""Who may enter: on this host everyone, from other hosts those with the token; a page of another site never."""

from __future__ import annotations

import hmac
import ipaddress
from collections.abc import Mapping
from pathlib import Path
from urllib.parse import urlsplit

from stream.settings.config import ConfigError, Web

COOKIE = "stream_token"
_SHORTEST = 16
_LOCAL_NAMES = ("localhost", "127.0.0.1", "::1")


class Access:
    """The rules of one address. `token` is None only on loopback."""

    def __init__(self, loopback: bool, token: str | None) -> None:
        self._loopback = loopback
        self._token = token

    def host_allowed(self, headers: Mapping[str, str]) -> bool:
        """Whether the request was meant for this server.

        On loopback another name is a page elsewhere whose name was made to point here (DNS rebinding).
        """
        return not self._loopback or urlsplit(f"//{headers.get('host', '')}").hostname in _LOCAL_NAMES

    def origin_allowed(self, headers: Mapping[str, str]) -> bool:
        """Whether a request comes from our own page: browsers name the origin of every WebSocket and POST."""
        origin = urlsplit(headers.get("origin", ""))
        return origin.scheme in ("http", "https") and origin.netloc == headers.get("host")

    def token_allowed(self, token: str | None) -> bool:
        """Whether `token` opens the door; compared in constant time."""
        return self._token is None or hmac.compare_digest(self._token.encode(), (token or "").encode())


def open_access(settings: Web) -> Access:
    """The rules that `settings` ask for; ConfigError for an open door or a token that is not one."""
    host, _ = settings.address
    loopback = host == "localhost" or (_is_ip(host) and ipaddress.ip_address(host).is_loopback)
    if settings.token is None:
        if not loopback:
            raise ConfigError(
                f"web.bind: {host} can be reached from other hosts, expected web.token too: a file with a secret of "
                f"at least {_SHORTEST} characters, as `openssl rand -hex 16` makes it"
            )
        return Access(loopback, None)
    return Access(loopback, read_token(settings.token))


def read_token(path: Path) -> str:
    """The secret in the file at `path`; ConfigError where it cannot be read or is too short to be one."""
    try:
        token = path.read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"web.token: cannot read {path} ({error})") from error
    if len(token) < _SHORTEST or not (token.isascii() and token.isprintable()):
        raise ConfigError(
            f"web.token: expected at least {_SHORTEST} characters in {path}, printable ASCII all, got {len(token)}"
        )
    return token


def _is_ip(host: str) -> bool:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True
