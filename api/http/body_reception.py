"""Receives bodies within limits: their length, their pace, and how many large ones are held at once."""

import asyncio
import math
import time
from dataclasses import dataclass

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from api.http.dialects import Dialects
from api.http.failures import failure_of
from api.http.large_bodies import LargeBodies, Place
from api.http.sender_first import SENDER
from octavo.errors import OctavoError, RequestTimeout, RequestTooLarge
from octavo.ledger.contract import Principal

SMALL_BYTES = 64 * 1024
"""A body up to this length takes no place: the server's own buffer holds as much."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Pace:
    """How slowly a body may arrive."""

    grace_seconds: float
    bytes_per_second: int

    def patience(self, received: int) -> float:
        """Return how many seconds may be waited for a body in all, once so many bytes of it are there."""
        return self.grace_seconds + received / self.bytes_per_second


@dataclass(frozen=True, slots=True, kw_only=True)
class ReceptionRules:
    """What holds for bodies of every dialect."""

    pace: Pace
    kept: LargeBodies
    """Places of bodies that are held in memory."""
    forms: LargeBodies
    """Places of bodies that go to disk as they arrive."""


class BodyReception:
    """ASGI middleware: a body that breaks a limit is refused in the dialect of its path, before the app has read it."""

    def __init__(self, app: ASGIApp, dialects: Dialects, rules: ReceptionRules) -> None:
        self._app = app
        self._dialects = dialects
        self._rules = rules

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Run the app with a body that is watched as it arrives."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        dialect = self._dialects.of(scope["path"])
        places = self._rules.forms if scope["path"] in dialect.form_paths else self._rules.kept
        body = _Body(scope, receive, send, dialect.longest_body(scope["path"]), self._rules.pace, places)
        try:
            if not body.is_declared_too_long():
                await self._app(scope, body.receive, body.send)
        finally:
            body.release()
        if body.refusal is not None and not body.is_answered:
            await dialect.write_failure(failure_of(body.refusal, scope))(scope, receive, send)


class _Body:
    """One body on its way. The answer to a refused one is ours, not what the app makes of a body that was cut off."""

    def __init__(
        self, scope: Scope, receive: Receive, send: Send, max_bytes: int, pace: Pace, places: LargeBodies
    ) -> None:
        self.refusal: OctavoError | None = None
        self.is_answered = False
        self._receive = receive
        self._send = send
        self._max_bytes = max_bytes
        self._pace = pace
        self._places = places
        self._place: Place | None = None
        sender = scope.get(SENDER)
        self._customer_id = sender.customer.customer_id if isinstance(sender, Principal) else None
        declared = dict(scope["headers"]).get(b"content-length", b"")
        self._declared = int(declared) if declared.isdigit() else None
        self._received = 0
        self._waited = 0.0
        self._has_ended = False

    def is_declared_too_long(self) -> bool:
        """Refuse a body by its declared length."""
        if (self._declared or 0) > self._max_bytes:
            self.refusal = _too_large(self._max_bytes)
        return self.refusal is not None

    async def receive(self) -> Message:
        """Receive the next bytes. Raises what the body is refused for."""
        if self._has_ended:
            return await self._receive()
        try:
            if self._place is None and self._is_large():
                await self._take_place()
            message = await self._receive_in_time()
            self._received += len(message.get("body", b""))
            self._has_ended = not message.get("more_body", False)
            if self._received > self._max_bytes:
                raise _too_large(self._max_bytes)
        except OctavoError as error:
            self.refusal = error
            raise
        return message

    async def send(self, message: Message) -> None:
        """Send what the app answers, unless the body was refused before."""
        if self.refusal is None or self.is_answered:
            self.is_answered = True
            await self._send(message)

    def release(self) -> None:
        """Free the place that the body had."""
        if self._place is not None:
            self._places.give_back(self._place)

    def _is_large(self) -> bool:
        return max(self._declared or 0, self._received) > SMALL_BYTES

    async def _take_place(self) -> None:
        if self._customer_id is not None:
            size = self._max_bytes if self._declared is None else self._declared
            self._place = await self._places.take(self._customer_id, size)

    async def _receive_in_time(self) -> Message:
        left = self._pace.patience(self._received) - self._waited
        began = time.monotonic()
        try:
            async with asyncio.timeout(max(0.0, left)):
                return await self._receive()
        except TimeoutError:
            raise RequestTimeout(
                f"The body arrives too slowly; after {math.ceil(self._pace.grace_seconds)} s at least "
                f"{self._pace.bytes_per_second} bytes a second are expected."
            ) from None
        finally:
            self._waited += time.monotonic() - began


def _too_large(max_bytes: int) -> RequestTooLarge:
    return RequestTooLarge(
        f"The body has more than {max_bytes} bytes; send less at a time.",
        limit_bytes=max_bytes,
    )
