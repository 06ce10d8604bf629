"""Values on their way into DuckDB and out of it."""

from datetime import UTC, datetime
from enum import StrEnum
from typing import Any

Value = str | int | float | bool | datetime | None
Parameter = Value | list[Any]
Row = tuple[Any, ...]


def plain(value: Value) -> Value:
    """Return a value as DuckDB takes it: moments without a zone (UTC), status words as text."""
    if isinstance(value, datetime):
        return value.astimezone(UTC).replace(tzinfo=None)
    return value.value if isinstance(value, StrEnum) else value


def plain_values(values: list[Any]) -> list[Any]:
    """Return the values of a column as DuckDB takes them; the values of one column are of one type."""
    kind = next((type(value) for value in values if value is not None), str)
    return values if kind in _PLAIN else [plain(value) for value in values]


_PLAIN = {str, int, float, bool}


def utc(moment: datetime) -> datetime:
    """Return a moment as it came from DuckDB with its zone."""
    return moment.replace(tzinfo=UTC)


def aware(moment: datetime | None) -> datetime | None:
    """Do that to a moment that may be missing."""
    return None if moment is None else utc(moment)
