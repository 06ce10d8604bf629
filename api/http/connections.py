"""Guards the connections of one process: uvicorn itself waits for ever for the end of a header section.

A connection that has sent no whole request in time is closed, idle ones make room when there are too many, and one
that is closed while its client still sends is read a little further, so that the client gets to see the answer.
"""

import asyncio
from dataclasses import dataclass, field
from typing import Any, ClassVar, cast

import h11
from uvicorn.protocols.http.h11_impl import H11Protocol, RequestResponseCycle

LONGEST_HEADERS_BYTES = 32 * 1024
LINGER_SECONDS = 2.0
LINGER_BYTES = 8 * 1024 * 1024
"""How much of an unread body is thrown away, for a client that looks for the answer only after it has sent all."""


@dataclass(eq=False, slots=True, kw_only=True)
class ConnectionRules:
    """What holds for all connections of a listener, and those that wait for a request, longest first."""

    header_seconds: float
    most: int
    waiting: "dict[GuardedProtocol, None]" = field(default_factory=dict)
    """Connections without a request in progress."""
    count: int = 0

    def make_room(self) -> bool:
        """Close the connection that has waited longest if there are too many; return whether there is room."""
        if self.count <= self.most:
            return True
        oldest = next(iter(self.waiting), None)
        if oldest is None:
            return False
        oldest.abort()
        return True


class GuardedProtocol(H11Protocol):
    """One connection."""

    rules_by_port: ClassVar[dict[int, ConnectionRules]] = {}
    """The rules of each listener, by its port; set by a subclass."""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Begin to wait for the first request, if there is room for another connection."""
        self._timer: asyncio.TimerHandle | None = None
        self._rules = self.rules_by_port[transport.get_extra_info("sockname")[1]]
        self._rules.count += 1
        super().connection_made(cast(asyncio.Transport, _Lingering(transport, self)))
        self._lingering = 0
        if not self._rules.make_room():
            self.abort()
            return
        self._wait_for_request()

    def connection_lost(self, exc: Exception | None) -> None:
        """Give the place up."""
        self._rules.count -= 1
        self._stop_waiting()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Take bytes; those of a connection that is being closed are thrown away."""
        if self.transport.is_closing():
            self._lingering += len(data)
            if self._lingering > LINGER_BYTES:
                self.abort()
            return
        if self._timer is None and not self._has_request():
            self._wait_for_request()
        super().data_received(data)

    def handle_events(self) -> None:
        """See whether a request has begun."""
        before = self.cycle
        super().handle_events()
        if self.cycle is not before:
            self._stop_waiting()

    def on_response_complete(self) -> None:
        """Be the first to make room again, while no further request has begun."""
        super().on_response_complete()
        if not self._has_request() and not self.transport.is_closing():
            self._rules.waiting[self] = None

    def abort(self) -> None:
        """Close the connection at once."""
        self._stop_waiting()
        self.transport.abort()

    def linger(self, transport: asyncio.Transport) -> None:
        """Say that nothing more is sent, and read on for a moment."""
        self._stop_waiting()
        if transport.can_write_eof() and self.conn.their_state is h11.SEND_BODY:
            transport.write_eof()
            self.flow.resume_reading()
            self._timer = self.loop.call_later(LINGER_SECONDS, transport.abort)
        else:
            transport.close()

    def _has_request(self) -> bool:
        cycle: RequestResponseCycle | None = self.cycle
        return cycle is not None and not cycle.response_complete

    def _wait_for_request(self) -> None:
        self._rules.waiting[self] = None
        self._timer = self.loop.call_later(self._rules.header_seconds, self.abort)

    def _stop_waiting(self) -> None:
        self._rules.waiting.pop(self, None)
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None


class _Lingering:
    """A transport whose `close` leaves the client the time to read the answer; the rest is the transport's own."""

    def __init__(self, transport: asyncio.Transport, protocol: GuardedProtocol) -> None:
        self._transport = transport
        self._protocol = protocol
        self._is_closing = False

    def __getattr__(self, name: str) -> Any:  # noqa: ANN401 - whatever the transport has
        return getattr(self._transport, name)

    def is_closing(self) -> bool:
        """Return whether it was told to close."""
        return self._is_closing or self._transport.is_closing()

    def close(self) -> None:
        """Close once the client has read the answer."""
        if not self.is_closing():
            self._is_closing = True
            self._protocol.linger(self._transport)


def guarded(rules_by_port: dict[int, ConnectionRules]) -> type[GuardedProtocol]:
    """Return the protocol of the connections to these listeners."""
    return type("Guarded", (GuardedProtocol,), {"rules_by_port": rules_by_port})
