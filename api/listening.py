"""The two listeners of an API process: one for customers, one for workers and admin commands."""

import resource
import socket
from collections.abc import Sequence
from dataclasses import dataclass

import uvicorn
from fastapi import FastAPI
from starlette.types import ASGIApp, Receive, Scope, Send

from api.app import ADMIN_PREFIX, INTERNAL_PREFIX
from api.http.connections import LONGEST_HEADERS_BYTES, ConnectionRules, guarded
from api.http.door import Door, HostNames
from octavo.errors import InvalidSettings
from octavo.settings import ApiSettings

BACKLOG = 2048
KEEP_ALIVE_SECONDS = 5
OPEN_ON_BOTH = ("/health",)
PART_OF_FILES = 2
"""Connections may take one of so many parts of the files that the process may have open."""


@dataclass(frozen=True, slots=True)
class Listeners:
    """Bound sockets."""

    public: Sequence[socket.socket]
    internal: Sequence[socket.socket]

    @classmethod
    def bind(cls, api: ApiSettings) -> "Listeners":
        """Bind both. Raises InvalidSettings."""
        return cls(_bound(api.host, api.port), _bound(api.internal_host, api.internal_port))

    @property
    def sockets(self) -> list[socket.socket]:
        """All of them."""
        return [*self.public, *self.internal]


def _bound(host: str, port: int) -> list[socket.socket]:
    try:
        places = dict.fromkeys(
            (family, address) for family, _, _, _, address in socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
        )
        return [_listener(family, address[:2]) for family, address in places]
    except OSError as error:
        raise InvalidSettings(f"Port {port} on {host} cannot be bound ({error.strerror}).") from error


def _listener(family: int, address: tuple[object, ...]) -> socket.socket:
    listener = socket.create_server(address, family=family, backlog=BACKLOG)
    # Connections inherit it. asyncio sets it only on sockets that were made with a protocol's number, and without it
    # each answer in two pieces waits 40 ms for the other side's acknowledgement (`bench.dispatch`).
    listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return listener


class Entrance:
    """ASGI app in front of the two doors: a request comes in by that of the listener it was sent to."""

    def __init__(self, app: FastAPI, api: ApiSettings, listeners: Listeners) -> None:
        self._app = app
        self._internal_ports = _ports(listeners.internal)
        self._public = Door(
            app,
            app.state.dialects,
            serves=lambda path: not _is_internal(path),
            names=HostNames.of_listener(api.host, public_url=api.public_url, allowed=api.allowed_hosts),
        )
        self._internal = Door(
            app,
            app.state.dialects,
            serves=lambda path: _is_internal(path) or path in OPEN_ON_BOTH,
            names=HostNames.of_listener(api.internal_host),
        )

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Hand a request to its door."""
        door: ASGIApp = self._app
        if scope["type"] == "http":
            door = self._internal if scope["server"][1] in self._internal_ports else self._public
        await door(scope, receive, send)


def _is_internal(path: str) -> bool:
    return any(path == prefix or path.startswith(f"{prefix}/") for prefix in (INTERNAL_PREFIX, ADMIN_PREFIX))


def _ports(sockets: Sequence[socket.socket]) -> frozenset[int]:
    return frozenset(one.getsockname()[1] for one in sockets)


def server_config(app: FastAPI, api: ApiSettings, listeners: Listeners, *, stop_seconds: int) -> uvicorn.Config:
    """Return how to serve the app at both listeners; a flood at one takes no connection of the other."""
    most = min(api.max_connections, _open_files() // PART_OF_FILES)
    rules = {
        port: ConnectionRules(header_seconds=api.header_seconds, most=most)
        for port in (*_ports(listeners.public), *_ports(listeners.internal))
    }
    return uvicorn.Config(
        Entrance(app, api, listeners),
        log_config=None,
        access_log=False,
        timeout_keep_alive=KEEP_ALIVE_SECONDS,
        timeout_graceful_shutdown=stop_seconds,
        h11_max_incomplete_event_size=LONGEST_HEADERS_BYTES,
        # No uvloop, no httptools: measured, they bring nothing here.
        loop="asyncio",
        http=guarded(rules),
        ws="none",
    )


def _open_files() -> int:
    """Return how many files this process may have open, after asking for as many as it can get."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft != hard:
        try:
            resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
        except (OSError, ValueError):
            return soft
    return hard if hard != resource.RLIM_INFINITY else 2**20
