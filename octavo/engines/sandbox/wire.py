"""Frames between owner, fork server and children: a length, a small JSON header, then raw bytes.

Whoever receives states a cap and a deadline; nothing is allocated before the length is checked.
"""

import json
import math
import select
import socket
import struct
import time
from collections.abc import Sequence
from typing import cast

Header = dict[str, object]

_LENGTH = struct.Struct(">I")
_MAX_HEADER_BYTES = 1024 * 1024
_MAX_DESCRIPTORS = 4


class WireClosed(Exception):
    """The other side has gone."""


class WireOverdue(Exception):
    """The other side did not answer before the deadline."""


class WireBroken(Exception):
    """What the other side sent is not a frame, or too large."""


class Channel:
    """One end of a stream socket that carries frames. Not thread-safe.

    Descriptors come only to an end that takes them: whoever is not trusted could fill up a process with them.
    """

    def __init__(self, end: socket.socket, *, takes_descriptors: bool = False) -> None:
        self.socket = end
        self._takes_descriptors = takes_descriptors
        self._descriptors: list[int] = []

    def send(self, header: Header, *payloads: bytes, descriptors: Sequence[int] = ()) -> None:
        """Send a frame and, in the same message, file descriptors. Raises `WireClosed`."""
        body = json.dumps(header).encode()
        frame = _LENGTH.pack(len(body)) + body
        try:
            sent = socket.send_fds(self.socket, [frame], list(descriptors)) if descriptors else 0
            self.socket.sendall(frame[sent:])
            for payload in payloads:
                self.socket.sendall(payload)
        except (BrokenPipeError, ConnectionResetError) as error:
            raise WireClosed from error

    def receive(self, deadline: float = math.inf) -> Header:
        """Return the next header. `deadline` is a moment of `time.monotonic()`."""
        (length,) = _LENGTH.unpack(self.receive_bytes(_LENGTH.size, deadline))
        if length > _MAX_HEADER_BYTES:
            raise WireBroken("a frame's header is too long")
        try:
            header = json.loads(self.receive_bytes(length, deadline))
        except (ValueError, RecursionError) as error:
            raise WireBroken("a frame's header is not JSON") from error
        if not isinstance(header, dict):
            raise WireBroken("a frame's header is not an object")
        return cast(Header, header)

    def receive_bytes(self, length: int, deadline: float = math.inf) -> bytes:
        """Return exactly `length` bytes; the caller has checked that it wants so many."""
        buffer = bytearray(length)
        view = memoryview(buffer)
        filled = 0
        while filled < length:
            self._await(deadline)
            filled += self._receive_into(view[filled:])
        return bytes(buffer)

    def is_readable(self, until: float) -> bool:
        """Wait until something has come, or to that moment of `time.monotonic()`."""
        poll = select.poll()
        poll.register(self.socket, select.POLLIN)
        return bool(poll.poll(max(0.0, until - time.monotonic()) * 1000))

    def take_descriptor(self) -> int:
        """Return the oldest descriptor that came with a frame. Raises `WireBroken` if none did."""
        if not self._descriptors:
            raise WireBroken("a frame lacks its descriptor")
        return self._descriptors.pop(0)

    def close(self) -> None:
        self.socket.close()

    def _await(self, deadline: float) -> None:
        if deadline == math.inf:
            return
        if not self.is_readable(deadline):
            raise WireOverdue

    def _receive_into(self, view: memoryview) -> int:
        try:
            data = self._receive_some(min(len(view), 1 << 20))
        except ConnectionResetError as error:
            raise WireClosed from error
        if not data:
            raise WireClosed
        view[: len(data)] = data
        return len(data)

    def _receive_some(self, most: int) -> bytes:
        if not self._takes_descriptors:
            return self.socket.recv(most)
        data, descriptors, _, _ = socket.recv_fds(self.socket, most, _MAX_DESCRIPTORS)
        self._descriptors.extend(descriptors)
        return data
