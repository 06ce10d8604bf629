"""What one listener lets through: the paths it serves, and the names under which it may be asked.

A page of a stranger can have its own name resolve to this machine (DNS rebinding); its requests then come from the
browser of somebody who can reach the service, but they bear the stranger's name.
"""

import ipaddress
from collections.abc import Callable, Iterable
from urllib.parse import urlsplit

from starlette.datastructures import Headers
from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Receive, Scope, Send

from api.http.dialects import Dialects
from api.http.failures import failure_of
from octavo.errors import HostNotAllowed

LOOPBACK_NAMES = frozenset({"localhost", "127.0.0.1", "::1"})
ANY = "*"


class HostNames:
    """The names in a Host header that are a listener's own; without any, all are."""

    def __init__(self, names: Iterable[str]) -> None:
        self._names = frozenset(name.lower() for name in names)

    @classmethod
    def of_listener(cls, address: str, *, public_url: str | None = None, allowed: Iterable[str] = ()) -> "HostNames":
        """Return the names of a listener at this address.

        One that is bound to more than loopback and has no list is asked under names that only its operator knows.
        """
        given = list(allowed)
        if ANY in given or (not given and not _is_loopback(address)):
            return cls([])
        public = urlsplit(public_url or "").hostname
        return cls([*LOOPBACK_NAMES, address, *given, *([public] if public else [])])

    def include(self, host: str) -> bool:
        """Return whether a Host header, with its port or without, has one of the names."""
        return not self._names or _name(host).lower() in self._names


def _is_loopback(address: str) -> bool:
    try:
        return ipaddress.ip_address(address).is_loopback
    except ValueError:
        return address.lower() in LOOPBACK_NAMES


def _name(host: str) -> str:
    if host.startswith("["):
        return host[1:].partition("]")[0]
    return host.rpartition(":")[0] if ":" in host else host


class Door:
    """ASGI app in front of the service: answers 404 to paths of the other door, 421 to names that are not its own."""

    def __init__(self, app: ASGIApp, dialects: Dialects, serves: Callable[[str], bool], names: HostNames) -> None:
        self._app = app
        self._dialects = dialects
        self._serves = serves
        self._names = names

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Let a request through or refuse it."""
        if scope["type"] == "http" and (error := self._refusal(scope)) is not None:
            await self._dialects.of(scope["path"]).write_failure(failure_of(error, scope))(scope, receive, send)
            return
        await self._app(scope, receive, send)

    def _refusal(self, scope: Scope) -> Exception | None:
        host = Headers(scope=scope).get("host", "")
        if not self._names.include(host):
            return HostNotAllowed(
                f"This service is not known as {host[:100]!r}. Its operator can set api.public_url or "
                "api.allowed_hosts."
            )
        return None if self._serves(scope["path"]) else HTTPException(404)
