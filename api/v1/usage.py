"""`/v1/usage`: what a customer was billed, and what is left of its quota."""

from fastapi import APIRouter
from pydantic import BaseModel, Field

from api.http.auth import CustomerDep
from api.http.periods import PeriodDep
from api.http.problems import problems
from api.http.use_cases import UsageDep
from octavo.errors import CustomerDisabled, InvalidApiKey, InvalidPeriod
from octavo.ledger.contract import PageAccount

router = APIRouter(prefix="/v1/usage", tags=["v1"])


class UsageDayResource(BaseModel):
    """What was billed on one day; days without usage are left out."""

    date: str = Field(description="UTC.", json_schema_extra={"format": "date"})
    pages: int
    items: int
    batches: int = Field(description="Batches with an item that was billed on this day.")


class QuotaResource(BaseModel):
    """The page quota: a total, over all days."""

    limit: int | None = Field(description="Null: none.")
    used: int = Field(description="Pages billed, ever.")
    remaining: int | None = Field(description="Null without a quota.")


class UsageResponse(BaseModel):
    """Usage by day, oldest first."""

    object: str = "list"
    data: list[UsageDayResource]
    quota: QuotaResource


def quota_resource(account: PageAccount) -> QuotaResource:
    """Return a page account as it is shown."""
    return QuotaResource(limit=account.limit, used=account.used, remaining=account.remaining)


@router.get(
    "",
    operation_id="get_usage_v1",
    summary="Get Usage Endpoint",
    responses=problems(InvalidApiKey, CustomerDisabled, InvalidPeriod),
)
def get_usage(customer: CustomerDep, usage: UsageDep, period: PeriodDep) -> UsageResponse:
    """Get what was billed, by day, and what is left of the quota."""
    found = usage.of_customer(customer.customer_id, period)
    return UsageResponse(
        data=[
            UsageDayResource(date=day.date.isoformat(), pages=day.pages, items=day.items, batches=day.batches)
            for day in found.days
        ],
        quota=quota_resource(found.account),
    )
