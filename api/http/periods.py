"""The days that a report covers: `from` and `to`, both inclusive, in UTC."""

import re
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Annotated

from fastapi import Depends, Query
from pydantic import BeforeValidator

from octavo.errors import InvalidPeriod
from octavo.timestamps import now

DAYS = 30
"""How many days a report covers by default, including today."""
_DAY = re.compile(r"\d{4}-\d{2}-\d{2}", re.ASCII)


@dataclass(frozen=True, slots=True)
class Period:
    """Days from the first to the last, both included."""

    first: date
    last: date


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
    until = last or now().date()
    since = first or until - timedelta(days=min(DAYS - 1, (until - date.min).days))
    if since > until:
        raise InvalidPeriod(f"The period ends on {until}, before it begins on {since}; swap from and to.")
    return Period(since, until)


PeriodDep = Annotated[Period, Depends(period)]
