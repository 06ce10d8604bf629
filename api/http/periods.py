"""The days a report is about: `from` and `to`, both included, in UTC."""

import re
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Annotated

from fastapi import Depends, Query
from pydantic import BeforeValidator

from octavo.errors import InvalidPeriod
from octavo.timestamps import now

DAYS = 30
"""How many days a report has when nothing else is asked, today included."""
_DAY = re.compile(r"\d{4}-\d{2}-\d{2}", re.ASCII)


@dataclass(frozen=True, slots=True)
class Period:
    """Days from the first to the last, both included."""

    first: date
    last: date


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
    until = last or now().date()
    since = first or until - timedelta(days=min(DAYS - 1, (until - date.min).days))
    if since > until:
        raise InvalidPeriod(f"The period ends on {until}, before it begins on {since}; give from and to in order.")
    return Period(since, until)


PeriodDep = Annotated[Period, Depends(period)]
