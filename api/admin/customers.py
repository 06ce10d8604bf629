"""`/admin/customers`: who may use the service, and how much."""

from typing import Annotated, Literal

from fastapi import APIRouter, Depends
from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from api.http import auth
from api.http.dependencies import Service, ServiceDep
from api.http.json_bodies import StrictJsonRoute
from api.http.problems import problems
from octavo.batches import DEFAULT_ITEM_CAP, Customer
from octavo.errors import CustomerNotFound, InvalidAdminToken
from octavo.identifiers import CustomerId
from octavo.ledger.contract import LimitName
from octavo.timestamps import to_wire

router = APIRouter(prefix="/admin", tags=["admin"], dependencies=[Depends(auth.admin)], route_class=StrictJsonRoute)
Name = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=120)]
Default = Literal["default"]
LIMITS: tuple[LimitName, ...] = ("submissions_per_minute", "page_quota", "retention_seconds")
TEN_YEARS_SECONDS = 10 * 366 * 24 * 3600


class CustomerLimits(BaseModel):
    """Fields to change; those left out, or null, stay, and `"default"` returns to the settings."""

    model_config = ConfigDict(extra="forbid")

    item_cap: Annotated[int, Field(strict=True, ge=1, le=10_000)] | Default | None = Field(
        None, description="Items in progress at once, over all batches."
    )
    submissions_per_minute: Annotated[int, Field(strict=True, ge=1, le=1_000_000)] | Default | None = Field(
        None, description="Per minute, for each of its keys and each route that submits."
    )
    page_quota: Annotated[int, Field(strict=True, ge=0, le=10**15)] | Default | None = Field(
        None, description="Pages that may be billed in total; `default` is no limit."
    )
    retention_seconds: Annotated[int, Field(strict=True, ge=1, le=TEN_YEARS_SECONDS)] | Default | None = Field(
        None, description="How long its files and results are kept; applies to files and batches created from now on."
    )


class CreateCustomerRequest(CustomerLimits):
    """A customer and its limits; an existing one of that name only gets the limits."""

    name: Name


class ChangeCustomerRequest(CustomerLimits):
    """Limits, and whether the customer is enabled."""

    enabled: Annotated[bool, Field(strict=True)] | None = None


class CustomerResource(BaseModel):
    """A customer."""

    id: str
    name: str
    enabled: bool
    item_cap: int
    submissions_per_minute: int | None = Field(description="Null: the value in the settings.")
    page_quota: int | None = Field(description="Null: no limit.")
    retention_seconds: int | None = Field(description="Null: the value in the settings.")
    created_at: str


class CustomerList(BaseModel):
    """All customers."""

    object: str = "list"
    data: list[CustomerResource]


@router.get("/customers", responses=problems(InvalidAdminToken))
def list_customers(service: ServiceDep) -> CustomerList:
    """List all customers, oldest first."""
    return CustomerList(data=[_resource(customer) for customer in service.ledger.accounts.customers()])


@router.post("/customers", responses=problems(InvalidAdminToken))
def create_customer(request: CreateCustomerRequest, service: ServiceDep) -> CustomerResource:
    """Create a customer, without a key; safe to repeat."""
    made = service.ledger.accounts.ensure_customer(request.name)
    return _resource(_limited(service, made.customer_id, request, enabled=None))


@router.patch("/customers/{customer_id}", responses=problems(InvalidAdminToken, CustomerNotFound))
def change_customer(customer_id: str, request: ChangeCustomerRequest, service: ServiceDep) -> CustomerResource:
    """Change a customer's limits, or enable or disable it; a new cap or quota applies to running batches at once."""
    return _resource(_limited(service, CustomerId(customer_id), request, enabled=request.enabled))


def _limited(service: Service, customer_id: CustomerId, request: CustomerLimits, *, enabled: bool | None) -> Customer:
    cap = DEFAULT_ITEM_CAP if request.item_cap == "default" else request.item_cap
    found = service.ledger.accounts.update_customer(customer_id, item_cap=cap, enabled=enabled)
    limits: dict[LimitName, int | None] = {}
    for name in LIMITS:
        value: int | Default | None = getattr(request, name)
        if value is not None:
            limits[name] = None if value == "default" else value
    return service.ledger.accounts.set_limits(customer_id, limits) if limits else found


def _resource(customer: Customer) -> CustomerResource:
    return CustomerResource(
        id=customer.customer_id,
        name=customer.name,
        enabled=customer.enabled,
        item_cap=customer.item_cap,
        submissions_per_minute=customer.submissions_per_minute,
        page_quota=customer.page_quota,
        retention_seconds=customer.retention_seconds,
        created_at=to_wire(customer.created_at),
    )
