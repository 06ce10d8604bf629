"""The days that a report covers: `from` and `to`, both inclusive, in UTC."""

import re
from datetime import date
from typing import Annotated

from fastapi import Depends, Query
from pydantic import BeforeValidator

from octavo.service.usage import Period

_DAY = re.compile(r"\d{4}-\d{2}-\d{2}", re.ASCII)


def _day(given: object) -> object:
    # As a date only: a number would be read as seconds since 1970.
    if isinstance(given, str) and not _DAY.fullmatch(given):
        raise ValueError("a day is written as YYYY-MM-DD")
    return given


Day = Annotated[date | None, BeforeValidator(_day)]


async def period(
    first: Annotated[
        Day, Query(alias="from", description="First day, UTC; by default 29 days before the last.")
    ] = None,
    last: Annotated[Day, Query(alias="to", description="Last day, UTC; by default today.")] = None,
) -> Period:
    """Return the requested days. Raises InvalidPeriod if they end before they begin."""
    return Period.between(first, last)


PeriodDep = Annotated[Period, Depends(period)]
