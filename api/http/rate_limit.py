"""Submissions a minute: a moving window per API key and route, told in every answer of these routes.

The fields are those of the IETF draft (draft-ietf-httpapi-ratelimit-headers-10): `RateLimit-Policy` says how many
(`q`) in how many seconds (`w`), `RateLimit` how many are left (`r`) and when the next one comes free (`t`).
"""

from collections.abc import Awaitable, Callable

from fastapi import Depends, Request
from starlette.datastructures import MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from api.http.auth import PrincipalDep
from api.http.dependencies import ServiceDep
from api.http.submission_rates import Standing
from octavo.errors import RateLimited

FIELDS = ("RateLimit", "RateLimit-Policy", "Retry-After")
"""Fields a page of another origin may read."""


def counted(route: str) -> Callable[[Request, PrincipalDep, ServiceDep], Awaitable[None]]:
    """Return the dependency that counts a submission of this route. It raises RateLimited."""

    async def count(request: Request, found: PrincipalDep, service: ServiceDep) -> None:
        limit = found.customer.submissions_per_minute or service.settings.limits.submissions_per_minute
        standing = service.rates.count(found.key.key_id, route, limit)
        request.scope["rate_limit"] = standing
        if not standing.is_taken:
            raise RateLimited(
                f"This key has made {limit} submissions of {route} within a minute; "
                f"try again in {standing.seconds} s, or submit more files at a time.",
                retry_after_seconds=standing.seconds,
            )

    return count


FileSubmission = Depends(counted("POST /v1/files"))
"""For `dependencies=[...]` of a route that stages files: one call is one submission, however many files it stages."""
BatchSubmission = Depends(counted("POST /v1/batches"))
BatchRetry = Depends(counted("POST /v1/batches/{batch_id}/retry_failed"))
AddressExtraction = Depends(counted("POST /v1/extract"))
FileExtraction = Depends(counted("POST /v1/extract/file"))
Ping = Depends(counted("POST /v1/webhooks/{webhook_id}/ping"))
Replay = Depends(counted("POST /v1/webhooks/deliveries/{delivery_id}/replay"))


class RateLimitFields:
    """ASGI middleware: every answer to a submission that was counted, or refused, carries the fields."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Add the fields where the answer begins."""

        async def told(message: Message) -> None:
            if message["type"] == "http.response.start" and "rate_limit" in scope:
                standing: Standing = scope["rate_limit"]
                MutableHeaders(scope=message).update(standing.fields())
            await send(message)

        await self._app(scope, receive, told)
