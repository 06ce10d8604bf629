"""`/admin/customers`: who may use the service, and with which keys."""

from typing import Annotated

from fastapi import APIRouter, Depends
from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from api import auth
from api.deps import ServiceDep
from api.json_bodies import StrictJsonRoute
from api.problems import problems
from octavo.batches import Customer
from octavo.errors import CustomerNotFound, InvalidAdminToken
from octavo.identifiers import CustomerId
from octavo.timestamps import to_wire

router = APIRouter(prefix="/admin", tags=["admin"], dependencies=[Depends(auth.admin)], route_class=StrictJsonRoute)
Name = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=120)]


class CreateKeyRequest(BaseModel):
    """A key for a customer, who is created if new."""

    customer: Name
    label: Annotated[str, StringConstraints(max_length=120)] = ""


class CreatedKey(BaseModel):
    """A fresh key; `key` is shown this once."""

    id: str
    customer_id: str
    prefix: str
    key: str
    created_at: str


class ChangeCustomerRequest(BaseModel):
    """What is to be another; what is left out, or null, stays."""

    model_config = ConfigDict(extra="forbid")

    item_cap: Annotated[int, Field(strict=True, ge=1, le=10_000)] | None = None
    enabled: Annotated[bool, Field(strict=True)] | None = None


class CustomerResource(BaseModel):
    """A customer."""

    id: str
    name: str
    enabled: bool
    item_cap: int
    created_at: str


class CustomerList(BaseModel):
    """All customers."""

    object: str = "list"
    data: list[CustomerResource]


@router.post("/keys", responses=problems(InvalidAdminToken))
def create_key(request: CreateKeyRequest, service: ServiceDep) -> CreatedKey:
    """Make an API key; the customer of that name is made if it is new."""
    customer = service.ledger.ensure_customer(request.customer)
    secret, prefix, digest = auth.new_secret()
    key = service.ledger.add_key(customer.customer_id, prefix=prefix, digest=digest, label=request.label)
    return CreatedKey(
        id=key.key_id,
        customer_id=customer.customer_id,
        prefix=prefix,
        key=secret,
        created_at=to_wire(key.created_at),
    )


@router.get("/customers", responses=problems(InvalidAdminToken))
def list_customers(service: ServiceDep) -> CustomerList:
    """List all customers."""
    return CustomerList(data=[_resource(customer) for customer in service.ledger.customers()])


@router.patch("/customers/{customer_id}", responses=problems(InvalidAdminToken, CustomerNotFound))
def change_customer(customer_id: str, request: ChangeCustomerRequest, service: ServiceDep) -> CustomerResource:
    """Give a customer another cap, or switch it off or on; batches in work feel a new cap at once."""
    customer = service.ledger.update_customer(
        CustomerId(customer_id), item_cap=request.item_cap, enabled=request.enabled
    )
    return _resource(customer)


def _resource(customer: Customer) -> CustomerResource:
    return CustomerResource(
        id=customer.customer_id,
        name=customer.name,
        enabled=customer.enabled,
        item_cap=customer.item_cap,
        created_at=to_wire(customer.created_at),
    )
