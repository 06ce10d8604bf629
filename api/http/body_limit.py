"""Refuses request bodies over the limit, by their declared length or as they arrive."""

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from api.http.dialects import Dialects
from api.http.failures import failure_of
from octavo.errors import RequestTooLarge


class BodyLimit:
    """ASGI middleware: no body is longer than the dialect of its path allows; a longer one gets a 413."""

    def __init__(self, app: ASGIApp, dialects: Dialects) -> None:
        self._app = app
        self._dialects = dialects

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Count the body's bytes as they arrive."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        dialect = self._dialects.of(scope["path"])
        max_bytes = dialect.longest_body(scope["path"])
        declared = dict(scope["headers"]).get(b"content-length", b"0")
        is_declared_too_long = declared.isdigit() and int(declared) > max_bytes
        if is_declared_too_long or await self._breaks_limit(scope, receive, send, max_bytes):
            error = _too_large(max_bytes)
            await dialect.write_failure(failure_of(error, scope))(scope, receive, send)

    async def _breaks_limit(self, scope: Scope, receive: Receive, send: Send, max_bytes: int) -> bool:
        """Run the app; return True if the body was too long and nothing has been answered yet."""
        received = 0
        has_started = False

        async def counted() -> Message:
            nonlocal received
            message = await receive()
            received += len(message.get("body", b""))
            if received > max_bytes:
                raise _too_large(max_bytes)
            return message

        async def guarded(message: Message) -> None:
            # The answer is ours, not whatever the app makes of a truncated body.
            nonlocal has_started
            if received <= max_bytes or has_started:
                has_started = True
                await send(message)

        await self._app(scope, counted, guarded)
        return received > max_bytes and not has_started


def _too_large(max_bytes: int) -> RequestTooLarge:
    return RequestTooLarge(
        f"The body has more than {max_bytes} bytes; send less at a time.",
        limit_bytes=max_bytes,
    )
