"""`/admin/usage`: what customers were billed, and whether the bill is correct."""

from typing import Annotated

from fastapi import APIRouter, Depends, Query
from pydantic import BaseModel, Field

from api.http import auth
from api.http.dependencies import ServiceDep
from api.http.periods import PeriodDep
from api.http.problems import problems
from api.v1.usage import QuotaResource, quota_resource
from octavo.errors import CustomerNotFound, InvalidAdminToken, InvalidPeriod, StorageUnavailable
from octavo.identifiers import CustomerId
from octavo.ledger.contract import DifferenceKind
from octavo.service.usage_audit import audit

router = APIRouter(prefix="/admin/usage", tags=["admin"], dependencies=[Depends(auth.admin)])


class CustomerUsageDay(BaseModel):
    """What one customer was billed on one day (UTC)."""

    customer_id: str
    customer: str = Field(description="Name.")
    date: str = Field(json_schema_extra={"format": "date"})
    pages: int
    items: int
    batches: int


class AllUsage(BaseModel):
    """Usage by day and customer, oldest first."""

    object: str = "list"
    data: list[CustomerUsageDay]
    quota: QuotaResource | None = Field(description="The customer's quota, if one customer was requested.")


class Difference(BaseModel):
    """One difference between the bill and the work done."""

    kind: DifferenceKind
    item_id: str
    batch_id: str | None
    customer_id: str | None
    billed: str | None = Field(description="What the usage row says.")
    found: str | None = Field(description="What the item, the batch or the result says.")


class UsageAudit(BaseModel):
    """The recount, and every difference."""

    object: str = "usage_audit"
    items: int = Field(description="Usage rows, each of one succeeded item.")
    pages: int
    gone_items: int = Field(description="Of these, items of deleted batches, which cannot be compared.")
    results: int = Field(description="Results read from storage.")
    differences: list[Difference]


@router.get("", responses=problems(InvalidAdminToken, CustomerNotFound, InvalidPeriod))
def show_usage(
    service: ServiceDep,
    period: PeriodDep,
    customer_id: Annotated[str | None, Query(description="One customer; by default all.")] = None,
) -> AllUsage:
    """Get what was billed, by day and customer."""
    wanted = None if customer_id is None else CustomerId(customer_id)
    account = None if wanted is None else service.ledger.billing.page_account(wanted)
    names = {one.customer_id: one.name for one in service.ledger.accounts.customers()}
    days = service.ledger.billing.usage(period.first, period.last, wanted)
    return AllUsage(
        data=[
            CustomerUsageDay(
                customer_id=day.customer_id,
                customer=names.get(day.customer_id, day.customer_id),
                date=day.date.isoformat(),
                pages=day.pages,
                items=day.items,
                batches=day.batches,
            )
            for day in days
        ],
        quota=None if account is None else quota_resource(account),
    )


@router.get("/audit", responses=problems(InvalidAdminToken, StorageUnavailable))
def audit_usage(
    service: ServiceDep,
    results: Annotated[bool, Query(description="Whether to also read every stored result.")] = True,
) -> UsageAudit:
    """Recount usage from items, batches and stored results; with many results this takes minutes."""
    found = audit(service.ledger, service.objects, with_results=results)
    return UsageAudit(
        items=found.totals.items,
        pages=found.totals.pages,
        gone_items=found.totals.gone_items,
        results=found.results,
        differences=[
            Difference(
                kind=one.kind,
                item_id=one.item_id,
                batch_id=one.batch_id,
                customer_id=one.customer_id,
                billed=one.billed,
                found=one.found,
            )
            for one in found.differences
        ],
    )
