"""Who is calling: API keys of customers, and the tokens of admin and workers.

A sender is judged twice by the same functions: by `SenderFirst` from the headers, before any of the body is
received, and by the route, which also gets the customer from here.
"""

import hashlib
import secrets
from collections.abc import Awaitable, Callable
from typing import Annotated

import anyio
import anyio.to_thread
from fastapi import Depends, Header, Request, Security
from fastapi.security import APIKeyHeader
from starlette.datastructures import Headers

from api.http.dependencies import Service, ServiceDep
from octavo.batches import Customer
from octavo.errors import CustomerDisabled, InvalidAdminToken, InvalidApiKey, UploadsOnly
from octavo.ledger.contract import Principal

KEY_PREFIX = "oct_"
SHOWN_CHARACTERS = 12
_key_header = APIKeyHeader(name="X-API-KEY", scheme_name="APIKeyHeader", auto_error=False)
Authorization = Annotated[str | None, Header(include_in_schema=False)]
LONGEST_KEY = 200
"""Characters; nothing longer is looked up."""
_lookups = anyio.CapacityLimiter(2)
"""Keys that are looked up at once: a flood of wrong ones must not take every thread of the process."""
Identify = Callable[[Service, Headers], Awaitable[Principal | None]]
"""Finds out from the headers who sends a request; None where that is no customer. Raises what refuses the sender."""


def new_secret() -> tuple[str, str, str]:
    """Return a new API key: the secret, the prefix that may be shown, the digest that is stored."""
    secret = KEY_PREFIX + secrets.token_urlsafe(32)
    return secret, secret[:SHOWN_CHARACTERS], digest(secret)


def digest(secret: str) -> str:
    """Return the SHA-256 of a secret, hex. A key has 256 random bits, so no slow hash is needed."""
    return hashlib.sha256(secret.encode()).hexdigest()


def _bearer(authorization: str | None) -> str | None:
    scheme, _, token = (authorization or "").partition(" ")
    return token.strip() if scheme.lower() == "bearer" else None


async def sending_customer(service: Service, headers: Headers) -> Principal:
    """Return the key in `X-API-KEY` or `Authorization: Bearer`, and its customer.

    Raises: InvalidApiKey, CustomerDisabled.
    """
    secret = headers.get("x-api-key") or _bearer(headers.get("authorization")) or ""
    found = None
    if 0 < len(secret) <= LONGEST_KEY:
        hashed = digest(secret)
        found = service.ledger.accounts.remembered_principal(hashed)
        if found is None:
            found = await anyio.to_thread.run_sync(service.ledger.accounts.principal, hashed, limiter=_lookups)
    if found is None:
        raise InvalidApiKey("Send a valid API key in the X-API-KEY header, or as Authorization: Bearer.")
    if not found.customer.enabled:
        raise CustomerDisabled("This customer is disabled; ask the operator of this service.")
    return found


async def sending_admin(service: Service, headers: Headers) -> None:
    """Admit only the admin. Raises InvalidAdminToken."""
    _require_token(headers, service.admin_token, "admin")


async def sending_worker(service: Service, headers: Headers) -> None:
    """Admit only workers. Raises InvalidAdminToken."""
    _require_token(headers, service.worker_token, "worker")


def _require_token(headers: Headers, token: str, whose: str) -> None:
    given = _bearer(headers.get("authorization")) or ""
    if not secrets.compare_digest(given.encode(), token.encode()):
        raise InvalidAdminToken(f"Send the {whose} token as Authorization: Bearer; it is in the data directory.")


# As dependencies: async, although they mostly wait for nothing, as a thread for each would cost more than the work.


async def principal(
    request: Request,
    service: ServiceDep,
    _: Annotated[str | None, Security(_key_header)],
    __: Authorization = None,
) -> Principal:
    """Return the key that was sent, and its customer; the parameters describe where it is."""
    return await sending_customer(service, request.headers)


PrincipalDep = Annotated[Principal, Depends(principal)]


async def customer(found: PrincipalDep) -> Customer:
    """Return the customer whose key was sent."""
    return found.customer


async def may_name_addresses(found: PrincipalDep) -> None:
    """Admit only keys that may have the service request a URL. Raises UploadsOnly."""
    if found.key.uploads_only:
        raise UploadsOnly("This key is for uploads only; send the document itself, or use another key.")


async def admin(request: Request, service: ServiceDep) -> None:
    """Admit only the admin. Raises InvalidAdminToken."""
    await sending_admin(service, request.headers)


async def worker(request: Request, service: ServiceDep) -> None:
    """Admit only workers. Raises InvalidAdminToken."""
    await sending_worker(service, request.headers)


CustomerDep = Annotated[Customer, Depends(customer)]
AddressesAllowed = Depends(may_name_addresses)
"""For `dependencies=[...]` of a route that takes an address: keys marked upload-only get 403 `uploads_only`."""
