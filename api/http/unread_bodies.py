"""Closes the connection of a request that was answered before its body was read: nobody reads the rest."""

from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

SMALL_BYTES = 64 * 1024
"""What the server reads of a body anyway; the rest of so short a one is not worth a connection."""


class UnreadBodies:
    """ASGI middleware: an answer to a request whose body is still on its way says `Connection: close`."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Watch whether the body has ended when the answer begins."""
        if scope["type"] != "http" or not _is_long(Headers(scope=scope)):
            await self._app(scope, receive, send)
            return
        has_ended = False

        async def watched() -> Message:
            nonlocal has_ended
            message = await receive()
            has_ended |= not message.get("more_body", False)
            return message

        async def told(message: Message) -> None:
            if message["type"] == "http.response.start" and not has_ended:
                MutableHeaders(scope=message)["Connection"] = "close"
            await send(message)

        await self._app(scope, watched, told)


def _is_long(headers: Headers) -> bool:
    """Return whether a request has a body of unknown length, or one that is not small."""
    declared = headers.get("content-length", "0")
    return "transfer-encoding" in headers or not declared.isdigit() or int(declared) > SMALL_BYTES
