"""An API at its two listeners, as `python -m api` serves it, and raw connections to them."""

import contextlib
import contextvars
import socket
import threading
from collections.abc import Iterator
from dataclasses import dataclass

import uvicorn

from api.app import create_app
from api.http.dependencies import Service
from api.listening import Listeners, server_config
from tests.unit.api.serving import LIMIT_SECONDS, until


@dataclass(frozen=True)
class Doors:
    """Ports of loopback."""

    public: int
    internal: int

    def url(self, *, internal: bool = False) -> str:
        return f"http://127.0.0.1:{self.internal if internal else self.public}"

    @contextlib.contextmanager
    def connected(self, *, internal: bool = False) -> Iterator[socket.socket]:
        """Give a plain connection."""
        with socket.create_connection(("127.0.0.1", self.internal if internal else self.public)) as connection:
            connection.settimeout(LIMIT_SECONDS)
            yield connection


@contextlib.contextmanager
def opened(service: Service) -> Iterator[Doors]:
    """Serve an API on free ports, with its loops."""
    api = service.settings.api.model_copy(update={"port": 0, "internal_port": 0})
    listeners = Listeners.bind(api)
    server = uvicorn.Server(server_config(create_app(service), api, listeners, stop_seconds=1))
    context = contextvars.copy_context()
    thread = threading.Thread(
        target=lambda: context.run(server.run, sockets=listeners.sockets), name="api", daemon=True
    )
    thread.start()
    until(lambda: server.started or not thread.is_alive(), "the API starts")
    assert server.started
    (public,), (internal,) = listeners.public, listeners.internal
    yield Doors(public.getsockname()[1], internal.getsockname()[1])
    server.should_exit = True
    thread.join(LIMIT_SECONDS)
    assert not thread.is_alive()


def head(method: str, path: str, *fields: str, host: str = "127.0.0.1") -> bytes:
    """Return the header section of a request."""
    return "\r\n".join([f"{method} {path} HTTP/1.1", f"Host: {host}", *fields, "", ""]).encode()


def answer_on(connection: socket.socket) -> bytes:
    """Return all that comes until the other side closes the connection."""
    found = b""
    with contextlib.suppress(ConnectionResetError):
        while piece := connection.recv(65536):
            found += piece
    return found
