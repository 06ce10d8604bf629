"""Attacks on the API's doors, over raw sockets, each in a process of its own: what `bench.neighbours` runs."""

import contextlib
import multiprocessing
import secrets
import socket
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from urllib.parse import urlsplit

PIECE_BYTES = 64 * 1024
CONNECT_SECONDS = 5.0
ANSWER_SECONDS = 30.0
SLOW_PAUSE_SECONDS = 0.5
"""Between two bytes of a slow body."""


@dataclass(frozen=True, slots=True)
class Target:
    """Where an attack goes; with `key` it comes from a customer of the service."""

    url: str
    path: str
    key: str | None = None

    def connect(self) -> socket.socket:
        """Return a new connection."""
        place = urlsplit(self.url)
        return socket.create_connection((place.hostname or "", place.port or 80), timeout=CONNECT_SECONDS)

    def head(self, method: str, length: int, key: str | None = None) -> bytes:
        """Return the header section of a request with a JSON body of so many bytes."""
        lines = [
            f"{method} {self.path} HTTP/1.1",
            f"Host: {urlsplit(self.url).netloc}",
            "Content-Type: application/json",
            f"Content-Length: {length}",
        ]
        if given := key or self.key:
            lines.append(f"X-API-KEY: {given}")
        return "\r\n".join([*lines, "", ""]).encode()


Work = Callable[[Target, float], None]
"""Attacks a target until a moment of the monotonic clock."""


@dataclass(frozen=True, slots=True)
class Attack:
    """What is done, and to which door: an address of customers or of workers."""

    path: str
    work: Work
    is_internal: bool = False
    has_key: bool = False


def _send(connection: socket.socket, head: bytes, body: bytes) -> None:
    connection.sendall(head)
    view = memoryview(body)
    for start in range(0, len(body), PIECE_BYTES):
        connection.sendall(view[start : start + PIECE_BYTES])


def nested_lists(target: Target, until: float, *, size: int) -> None:
    """Send bodies of nested empty lists one after the other, and wait for each answer."""
    body = b"[" + b",".join([b"[]"] * (size // 3)) + b"]"
    while time.monotonic() < until:
        with contextlib.suppress(OSError), target.connect() as connection:
            connection.settimeout(ANSWER_SECONDS)
            _send(connection, target.head("POST", len(body)), body)
            connection.recv(PIECE_BYTES)


def unfinished(target: Target, until: float, *, count: int, size: int) -> None:
    """Send bodies but for their last byte, and hold the connections."""
    body = b" " * size

    def one() -> None:
        with contextlib.suppress(OSError), target.connect() as connection:
            _send(connection, target.head("POST", size + 1), body)
            connection.settimeout(max(0.1, until - time.monotonic()))
            connection.recv(1)
            time.sleep(max(0.0, until - time.monotonic()))

    _together(one, count)


def half_headers(target: Target, until: float, *, count: int) -> None:
    """Begin requests and never end their headers; connect anew whenever a connection is closed."""
    start = target.head("GET", 0)[:-4]

    def one() -> None:
        while time.monotonic() < until:
            with contextlib.suppress(OSError), target.connect() as connection:
                connection.sendall(start)
                connection.settimeout(max(0.1, until - time.monotonic()))
                connection.recv(1)

    _together(one, count)


def slow_bodies(target: Target, until: float, *, count: int) -> None:
    """Send a byte now and then of bodies that never end."""

    def one() -> None:
        while time.monotonic() < until:
            with contextlib.suppress(OSError), target.connect() as connection:
                connection.sendall(target.head("POST", 1_000_000))
                while time.monotonic() < until:
                    connection.sendall(b" ")
                    time.sleep(SLOW_PAUSE_SECONDS)

    _together(one, count)


def wrong_keys(target: Target, until: float, *, count: int) -> None:
    """Ask with keys that look right and are not, as fast as answers come."""

    def one() -> None:
        while time.monotonic() < until:
            with contextlib.suppress(OSError), target.connect() as connection:
                while time.monotonic() < until:
                    connection.sendall(target.head("GET", 0, f"oct_{secrets.token_urlsafe(32)}"))
                    if not connection.recv(PIECE_BYTES):
                        break

    _together(one, count)


def _together(work: Callable[[], None], count: int) -> None:
    threads = [threading.Thread(target=work, daemon=True) for _ in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


MB = 1_000_000
ATTACKS: dict[str, Attack] = {
    "4 MB of nested lists, no key": Attack("/v1/batches", partial(nested_lists, size=4 * MB)),
    "16 MB of nested lists, no key": Attack("/v1/files/bulk", partial(nested_lists, size=16 * MB)),
    "57 MB of nested lists to the workers' door, no token": Attack(
        "/internal/sync/result", partial(nested_lists, size=57 * MB), is_internal=True
    ),
    "40 unfinished bodies of 30 MB, no token": Attack(
        "/internal/sync/result", partial(unfinished, count=40, size=30 * MB), is_internal=True
    ),
    "500 half-sent headers": Attack("/v1/batches", partial(half_headers, count=500)),
    "200 slow bodies, no key": Attack("/v1/batches", partial(slow_bodies, count=200)),
    "flood of wrong keys": Attack("/v1/batches", partial(wrong_keys, count=8)),
    "4 MB of nested lists by a customer": Attack("/v1/batches", partial(nested_lists, size=4 * MB), has_key=True),
    "16 MB of nested lists by a customer": Attack("/v1/files/bulk", partial(nested_lists, size=16 * MB), has_key=True),
    "40 unfinished bodies of 4 MB by a customer": Attack(
        "/v1/batches", partial(unfinished, count=40, size=4 * MB), has_key=True
    ),
    "200 slow bodies by a customer": Attack("/v1/batches", partial(slow_bodies, count=200), has_key=True),
}


@contextlib.contextmanager
def going_on(work: Work, target: Target, seconds: float) -> Iterator[None]:
    """Run an attack in another process while the body runs."""
    process = multiprocessing.get_context("spawn").Process(target=_attack, args=(work, target, seconds), daemon=True)
    process.start()
    try:
        yield
    finally:
        process.join(seconds + ANSWER_SECONDS)
        if process.is_alive():
            process.kill()
            process.join()


def _attack(work: Work, target: Target, seconds: float) -> None:
    work(target, time.monotonic() + seconds)
