"""Connections to checked addresses and no others; every wait ends at one deadline."""

import contextlib
import socket
import ssl
import time
from collections.abc import Callable, Iterable, Sequence
from typing import TypeVar

import httpcore

from octavo.errors import FetchFailed
from octavo.outbound.addresses import IPAddress

T = TypeVar("T")


class Deadline:
    """The moment by which everything must have ended."""

    def __init__(self, seconds: float) -> None:
        self._at = time.monotonic() + seconds

    def left(self, at_most: float) -> float:
        """Return the seconds left, but no more than `at_most`. Raises FetchFailed if none are left."""
        seconds = min(at_most, self._at - time.monotonic())
        if seconds <= 0:
            raise FetchFailed("The server took too long.")
        return seconds


class CheckedStream(httpcore.NetworkStream):
    """One connection; network errors are raised as FetchFailed."""

    def __init__(self, connection: socket.socket, deadline: Deadline) -> None:
        self._connection = connection
        self._deadline = deadline

    def _within(self, timeout: float | None, work: Callable[[], T]) -> T:
        try:
            self._connection.settimeout(self._deadline.left(timeout or float("inf")))
            return work()
        except TimeoutError as error:
            raise FetchFailed("The server took too long.") from error
        except OSError as error:
            raise FetchFailed(f"The connection broke: {error.strerror or type(error).__name__}.") from error

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        """Return what has arrived."""
        return self._within(timeout, lambda: self._connection.recv(max_bytes))

    def write(self, buffer: bytes, timeout: float | None = None) -> None:
        """Send all of it; a receiver that reads slowly does not extend the deadline."""
        left = memoryview(buffer)
        while left:
            sent = self._within(timeout, lambda rest=left: self._connection.send(rest))  # type: ignore[misc]
            left = left[sent:]

    def close(self) -> None:
        """Close the connection, whatever the other side may still send."""
        with contextlib.suppress(OSError):
            self._connection.close()

    def start_tls(
        self, ssl_context: ssl.SSLContext, server_hostname: str | None = None, timeout: float | None = None
    ) -> httpcore.NetworkStream:
        """Start TLS; the certificate must be valid for the host name, not the address."""
        try:
            self._connection.settimeout(self._deadline.left(timeout or float("inf")))
            secure = ssl_context.wrap_socket(self._connection, server_hostname=server_hostname)
        except ssl.SSLCertVerificationError as error:
            self.close()
            raise FetchFailed(f"The server's certificate is not valid: {error.verify_message}.") from error
        except (OSError, ValueError) as error:
            self.close()
            raise FetchFailed("No secure connection could be established with the server.") from error
        return CheckedStream(secure, self._deadline)


class PinnedNetwork(httpcore.NetworkBackend):
    """Connects to the given addresses, whatever name is requested."""

    def __init__(self, addresses: Sequence[IPAddress], deadline: Deadline) -> None:
        self._addresses = addresses
        self._deadline = deadline

    def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[httpcore.SOCKET_OPTION] | None = None,
    ) -> httpcore.NetworkStream:
        """Connect to the first address that answers."""
        for address in self._addresses:
            try:
                seconds = self._deadline.left(timeout or float("inf"))
                connection = socket.create_connection((str(address), port), timeout=seconds)
            except OSError:
                continue
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            return CheckedStream(connection, self._deadline)
        raise FetchFailed(f"{host} does not answer on port {port}.")
