"""Who may ask: a server on loopback is there for the programs of its machine, not for whatever page a browser shows.

A page of another origin can send requests to loopback, and after its name has been rebound to 127.0.0.1, it can read
the answers.
"""

import ipaddress
import re
from urllib.parse import urlsplit

from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Receive, Scope, Send

_HOST = re.compile(r"(?:\[([0-9A-Fa-f:.]+)\]|([^\[\]:/@\s]+))(?::\d{1,5})?")


def is_loopback(host: str) -> bool:
    """Whether a host name or address can only be this machine."""
    name = host.lower().removesuffix(".")
    if name == "localhost" or name.endswith(".localhost"):
        return True
    try:
        return ipaddress.ip_address(name).is_loopback
    except ValueError:
        return False


class SameOrigin:
    """ASGI middleware that refuses, with 403, what comes from elsewhere.

    Args:
        app: The application behind it.
        host: Address that the server listens on. If it is loopback, or `allow_host` is given, the `Host` of a request
            must be loopback or allowed.
        allow_host: Names of further hosts that are answered, also to pages that come from them.
    """

    def __init__(self, app: ASGIApp, host: str, allow_host: tuple[str, ...] = ()) -> None:
        self._app, self._allowed = app, {name.lower() for name in allow_host}
        self._checks_hosts = is_loopback(host) or bool(allow_host)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and (why := self._refusal(scope)):
            await JSONResponse({"error": why}, 403)(scope, receive, send)
        else:
            await self._app(scope, receive, send)

    def _refusal(self, scope: Scope) -> str | None:
        headers: dict[bytes, list[str]] = {}
        for name, value in scope["headers"]:
            headers.setdefault(name, []).append(value.decode("latin-1").strip())
        hosts, origins = headers.get(b"host", []), headers.get(b"origin", [])
        if self._checks_hosts and not all(self._is_answered(host) for host in hosts):
            return "Host must be this machine, or one of `allow_host`"
        for origin in origins:
            try:
                scheme, site = urlsplit(origin.lower())[:2]
            except ValueError:  # no address at all
                scheme, site = "", ""
            is_known = site in {host.lower() for host in hosts} or _name(site) in self._allowed
            # Also `https`: what encrypts in front of this server hands the same `Host` on.
            if not is_known or scheme not in ("http", "https"):
                return "Origin must be this server, or one of `allow_host`"
        is_visit = scope["method"] in ("GET", "HEAD") and headers.get(b"sec-fetch-mode") == ["navigate"]
        sites = headers.get(b"sec-fetch-site", [])
        if not origins and not is_visit and any(site.lower() in ("cross-site", "same-site") for site in sites):
            return "a page of another site must not ask"
        return None

    def _is_answered(self, host: str) -> bool:
        name = _name(host)
        return name is not None and (is_loopback(name) or name in self._allowed)


def _name(host: str) -> str | None:
    """Name or address without port and brackets; `None` if it is neither."""
    match = _HOST.fullmatch(host)
    return (match[1] or match[2]).lower() if match else None
