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
        received = 0
        refused = declared.isdigit() and int(declared) > self._max_bytes

        async def counted() -> Message:
            nonlocal received
            message = await receive()
            received += len(message.get("body", b""))
            if received > self._max_bytes:
                raise self._error()
            return message

        if refused:
            await problem_response(self._error())(scope, receive, send)
        else:
            await self._app(scope, counted, send)

    def _error(self) -> RequestTooLarge:
        return RequestTooLarge(
            f"The body is larger than {self._max_bytes} bytes; send less at a time.",
            limit_bytes=self._max_bytes,
        )
