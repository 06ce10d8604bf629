"""`/admin/keys`: API keys of customers. A key is shown once, when it is created; only its digest is stored."""

from typing import Annotated

from fastapi import APIRouter, Depends
from pydantic import BaseModel, Field, StringConstraints

from api.admin.customers import Name
from api.http import auth
from api.http.dependencies import ServiceDep
from api.http.json_bodies import StrictJsonRoute
from api.http.problems import problems
from octavo.batches import ApiKey
from octavo.errors import CustomerNotFound, InvalidAdminToken, KeyNotFound
from octavo.identifiers import CustomerId
from octavo.timestamps import to_wire

router = APIRouter(prefix="/admin", tags=["admin"], dependencies=[Depends(auth.admin)], route_class=StrictJsonRoute)


class CreateKeyRequest(BaseModel):
    """A key for a customer; a new customer is created."""

    customer: Name
    label: Annotated[str, StringConstraints(max_length=120)] = ""
    uploads_only: bool = Field(
        False, description="Whether it may only upload documents, not submit URLs or create webhooks."
    )


class CreatedKey(BaseModel):
    """A new key; `key` is shown only once."""

    id: str
    customer_id: str
    prefix: str
    key: str
    created_at: str


class KeyResource(BaseModel):
    """A key as it is stored."""

    id: str
    customer_id: str
    prefix: str = Field(description="The beginning of the key.")
    label: str
    uploads_only: bool
    created_at: str
    revoked_at: str | None


class KeyList(BaseModel):
    """The keys of a customer, including revoked ones, oldest first."""

    object: str = "list"
    data: list[KeyResource]


@router.post("/keys", responses=problems(InvalidAdminToken))
def create_key(request: CreateKeyRequest, service: ServiceDep) -> CreatedKey:
    """Create an API key; a new customer is created."""
    customer = service.ledger.accounts.ensure_customer(request.customer)
    secret, prefix, digest = auth.new_secret()
    key = service.ledger.accounts.add_key(
        customer.customer_id, prefix=prefix, digest=digest, label=request.label, uploads_only=request.uploads_only
    )
    return CreatedKey(
        id=key.key_id,
        customer_id=customer.customer_id,
        prefix=prefix,
        key=secret,
        created_at=to_wire(key.created_at),
    )


@router.get("/customers/{customer_id}/keys", responses=problems(InvalidAdminToken, CustomerNotFound))
def list_keys(customer_id: str, service: ServiceDep) -> KeyList:
    """List a customer's keys, without the secrets."""
    return KeyList(data=[_resource(key) for key in service.ledger.accounts.keys(CustomerId(customer_id))])


@router.delete("/keys/{key_id}", responses=problems(InvalidAdminToken, KeyNotFound))
def revoke_key(key_id: str, service: ServiceDep) -> KeyResource:
    """Revoke a key: it is refused from now on, but stays listed. Safe to repeat."""
    key = service.ledger.accounts.revoke_key(key_id)
    if key is None:
        raise KeyNotFound(f"There is no key {key_id}; list the customer's keys to see their ids.")
    return _resource(key)


def _resource(key: ApiKey) -> KeyResource:
    return KeyResource(
        id=key.key_id,
        customer_id=key.customer_id,
        prefix=key.prefix,
        label=key.label,
        uploads_only=key.uploads_only,
        created_at=to_wire(key.created_at),
        revoked_at=None if key.revoked_at is None else to_wire(key.revoked_at),
    )
