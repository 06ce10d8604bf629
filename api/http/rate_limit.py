"""Submissions per minute: a moving window per API key and route, shown in every answer of these routes."""

from collections.abc import Awaitable, Callable

from fastapi import Request
from starlette.datastructures import MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from api.http.auth import PrincipalDep
from api.http.dependencies import ServiceDep
from api.http.dialects import Dialects
from api.http.submission_rates import Standing
from octavo.errors import RateLimited


def counted(route: str) -> Callable[[Request, PrincipalDep, ServiceDep], Awaitable[None]]:
    """Return the dependency that counts a submission of this route. It raises RateLimited."""

    async def count(request: Request, found: PrincipalDep, service: ServiceDep) -> None:
        limit = found.customer.submissions_per_minute or service.settings.limits.submissions_per_minute
        standing = service.rates.count(found.key.key_id, route, limit)
        request.scope["rate_limit"] = standing
        if not standing.is_taken:
            raise RateLimited(
                f"This key has made {limit} submissions to {route} within a minute; "
                f"try again in {standing.seconds} s, or submit more files at a time.",
                retry_after_seconds=standing.seconds,
            )

    return count


class RateLimitFields:
    """ASGI middleware: every answer to a submission that was counted carries the fields of its dialect."""

    def __init__(self, app: ASGIApp, dialects: Dialects) -> None:
        self._app = app
        self._dialects = dialects

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Add the fields where the answer begins."""

        async def told(message: Message) -> None:
            if message["type"] == "http.response.start" and "rate_limit" in scope:
                standing: Standing = scope["rate_limit"]
                fields = self._dialects.of(scope["path"]).rate_limit_fields(standing)
                MutableHeaders(scope=message).update(fields)
            await send(message)

        await self._app(scope, receive, told)
