"""Query parameters without a value, as scripts and forms send them, mean that there is none."""

from starlette.types import ASGIApp, Receive, Scope, Send


class EmptyParameters:
    """ASGI middleware: `?cursor=&limit=5` is `?limit=5`, for every parameter of every route."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on without its empty parameters."""
        query: bytes = scope.get("query_string", b"")
        if scope["type"] == "http" and query:
            given = [one for one in query.split(b"&") if one.partition(b"=")[2]]
            scope = {**scope, "query_string": b"&".join(given)}
        await self._app(scope, receive, send)
