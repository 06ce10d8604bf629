"""Refuses request bodies over the cap, by their declared length or while they arrive."""

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from api.problems import problem_response
from octavo.errors import RequestTooLarge


class BodyLimit:
    """ASGI middleware: at most `max_bytes` of body, answered with 413 `request_too_large`."""

    def __init__(self, app: ASGIApp, max_bytes: int) -> None:
        self._app = app
        self._max_bytes = max_bytes

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Count the body as it is received."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        declared = dict(scope["headers"]).get(b"content-length", b"0")
        if declared.isdigit() and int(declared) > self._max_bytes:
            await problem_response(self._error())(scope, receive, send)
        else:
            await self._count(scope, receive, send)

    async def _count(self, scope: Scope, receive: Receive, send: Send) -> None:
        received = 0
        has_started = False

        async def counted() -> Message:
            nonlocal received
            message = await receive()
            received += len(message.get("body", b""))
            if received > self._max_bytes:
                raise self._error()
            return message

        async def guarded(message: Message) -> None:
            # What the app makes of a body that broke off is not the answer; ours is.
            nonlocal has_started
            if received <= self._max_bytes or has_started:
                has_started = True
                await send(message)

        await self._app(scope, counted, guarded)
        if received > self._max_bytes and not has_started:
            await problem_response(self._error())(scope, receive, send)

    def _error(self) -> RequestTooLarge:
        return RequestTooLarge(
            f"The body is larger than {self._max_bytes} bytes; send less at a time.",
            limit_bytes=self._max_bytes,
        )
