"""Refuses request bodies over the cap, by their declared length or while they arrive."""

from collections.abc import Mapping

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from api.http.problems import problem_response
from octavo.errors import RequestTooLarge


class BodyLimit:
    """ASGI middleware: at most `max_bytes` of body, answered with 413 `request_too_large`.

    `larger` are paths that take more.
    """

    def __init__(self, app: ASGIApp, max_bytes: int, larger: Mapping[str, int] | None = None) -> None:
        self._app = app
        self._max_bytes = max_bytes
        self._larger = larger or {}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Count the body as it is received."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        max_bytes = self._larger.get(scope["path"], self._max_bytes)
        declared = dict(scope["headers"]).get(b"content-length", b"0")
        if declared.isdigit() and int(declared) > max_bytes:
            await problem_response(_error(max_bytes))(scope, receive, send)
        else:
            await self._count(scope, receive, send, max_bytes)

    async def _count(self, scope: Scope, receive: Receive, send: Send, max_bytes: int) -> None:
        received = 0
        has_started = False

        async def counted() -> Message:
            nonlocal received
            message = await receive()
            received += len(message.get("body", b""))
            if received > max_bytes:
                raise _error(max_bytes)
            return message

        async def guarded(message: Message) -> None:
            # What the app makes of a body that broke off is not the answer; ours is.
            nonlocal has_started
            if received <= max_bytes or has_started:
                has_started = True
                await send(message)

        await self._app(scope, counted, guarded)
        if received > max_bytes and not has_started:
            await problem_response(_error(max_bytes))(scope, receive, send)


def _error(max_bytes: int) -> RequestTooLarge:
    return RequestTooLarge(
        f"The body is larger than {max_bytes} bytes; send less at a time.",
        limit_bytes=max_bytes,
    )
