"""Judges who sends a request by its headers, before a byte of its body is received."""

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Receive, Scope, Send

from api.http.dependencies import Service
from api.http.dialects import Dialects
from api.http.failures import failure_of
from octavo.errors import OctavoError

SENDER = "octavo.sender"
"""Where in the scope of a request its sender is, for what runs after."""


class SenderFirst:
    """ASGI middleware: a request without the key or token that its path asks for is refused unread."""

    def __init__(self, app: ASGIApp, service: Service, dialects: Dialects) -> None:
        self._app = app
        self._service = service
        self._dialects = dialects

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Let a request through that its dialect has identified, and write in its scope who sent it."""
        if scope["type"] == "http":
            dialect = self._dialects.of(scope["path"])
            if dialect.identify is not None:
                try:
                    scope[SENDER] = await dialect.identify(self._service, Headers(scope=scope))
                except OctavoError as error:
                    await dialect.write_failure(failure_of(error, scope))(scope, receive, send)
                    return
        await self._app(scope, receive, send)
