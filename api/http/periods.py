"""The days a report is about: `from` and `to`, both included, in UTC."""

import re
from datetime import date
from typing import Annotated

from fastapi import Depends, Query
from pydantic import BeforeValidator

from octavo.service.usage import Period

_DAY = re.compile(r"\d{4}-\d{2}-\d{2}", re.ASCII)


def _day(given: object) -> object:
    # As a date alone: a number would be taken for seconds since 1970.
    if isinstance(given, str) and not _DAY.fullmatch(given):
        raise ValueError("a day is written YYYY-MM-DD")
    return given


Day = Annotated[date | None, BeforeValidator(_day)]


async def period(
    first: Annotated[
        Day, Query(alias="from", description="First day, UTC; 29 days before the last if not given.")
    ] = None,
    last: Annotated[Day, Query(alias="to", description="Last day, UTC; today if not given.")] = None,
) -> Period:
    """Return the days that are asked for. Raises InvalidPeriod when they end before they begin."""
    return Period.between(first, last)


PeriodDep = Annotated[Period, Depends(period)]
