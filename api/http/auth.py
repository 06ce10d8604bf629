"""Who is calling: API keys of customers, and the tokens of admin and workers."""

import hashlib
import secrets
from typing import Annotated

from fastapi import Depends, Header, Security
from fastapi.security import APIKeyHeader

from api.http.dependencies import ServiceDep
from octavo.batches import Customer
from octavo.errors import CustomerDisabled, InvalidAdminToken, InvalidApiKey, UploadsOnly
from octavo.ledger.contract import Principal

KEY_PREFIX = "oct_"
SHOWN_CHARACTERS = 12
_key_header = APIKeyHeader(name="X-API-KEY", scheme_name="APIKeyHeader", auto_error=False)
Authorization = Annotated[str | None, Header(include_in_schema=False)]


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


def principal(
    service: ServiceDep,
    key: Annotated[str | None, Security(_key_header)],
    authorization: Authorization = None,
) -> Principal:
    """Return the key in `X-API-KEY` or `Authorization: Bearer`, and its customer.

    Raises: InvalidApiKey, CustomerDisabled.
    """
    secret = key or _bearer(authorization)
    found = service.ledger.accounts.principal(digest(secret)) if secret else None
    if found is None:
        raise InvalidApiKey("Send a valid API key in the X-API-KEY header, or as Authorization: Bearer.")
    if not found.customer.enabled:
        raise CustomerDisabled("This customer is disabled; ask the operator of this service.")
    return found


PrincipalDep = Annotated[Principal, Depends(principal)]


# Async, although they wait for nothing: a thread for each would cost more than the work itself.


async def customer(found: PrincipalDep) -> Customer:
    """Return the customer whose key was sent."""
    return found.customer


async def may_name_addresses(found: PrincipalDep) -> None:
    """Admit only keys that may have the service request a URL. Raises UploadsOnly."""
    if found.key.uploads_only:
        raise UploadsOnly("This key is for uploads only; send the document itself, or use another key.")


def _require_token(authorization: str | None, token: str, whose: str) -> None:
    given = _bearer(authorization) or ""
    if not secrets.compare_digest(given.encode(), token.encode()):
        raise InvalidAdminToken(f"Send the {whose} token as Authorization: Bearer; it is in the data directory.")


def admin(service: ServiceDep, authorization: Authorization = None) -> None:
    """Admit only the admin. Raises InvalidAdminToken."""
    _require_token(authorization, service.admin_token, "admin")


def worker(service: ServiceDep, authorization: Authorization = None) -> None:
    """Admit only workers. Raises InvalidAdminToken."""
    _require_token(authorization, service.worker_token, "worker")


CustomerDep = Annotated[Customer, Depends(customer)]
AddressesAllowed = Depends(may_name_addresses)
"""For `dependencies=[...]` of a route that takes an address: keys marked upload-only get 403 `uploads_only`."""
