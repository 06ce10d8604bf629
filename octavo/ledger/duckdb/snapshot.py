"""One state of the file: named statements, and values on their way in and out of it."""

from datetime import UTC, datetime
from enum import StrEnum
from typing import Any

import duckdb

from octavo.ledger.duckdb.statements import statements

Value = str | int | float | bool | datetime | None
Parameter = Value | list[Any]
Row = tuple[Any, ...]


def plain(value: Value) -> Value:
    """Return a value as DuckDB takes it: moments without a zone (UTC), status words as text."""
    if isinstance(value, datetime):
        return value.astimezone(UTC).replace(tzinfo=None)
    return value.value if isinstance(value, StrEnum) else value


def utc(moment: datetime) -> datetime:
    """Return a moment as it came from DuckDB with its zone."""
    return moment.replace(tzinfo=UTC)


def aware(moment: datetime | None) -> datetime | None:
    """Do that to a moment that may be missing."""
    return None if moment is None else utc(moment)


class Statements:
    """The named statements of one opened file, each parsed once: parsing is a third of a short one's cost."""

    def __init__(self) -> None:
        self._parsed: dict[str, duckdb.Statement] = {}

    def fetch(self, connection: duckdb.DuckDBPyConnection, name: str, parameters: dict[str, Parameter]) -> list[Row]:
        """Run a named statement and return its rows."""
        parsed = self._parsed.get(name)
        if parsed is None:
            (parsed,) = connection.extract_statements(statements()[name])
            self._parsed[name] = parsed
        bound = {
            key: [plain(one) for one in value] if isinstance(value, list) else plain(value)
            for key, value in parameters.items()
        }
        return connection.execute(parsed, bound).fetchall()


class Snapshot:
    """What is committed when a read begins; every statement sees the same state."""

    def __init__(self, connection: duckdb.DuckDBPyConnection, known: Statements, now: datetime) -> None:
        self._connection = connection
        self._known = known
        self.now = now

    def rows(self, name: str, /, **parameters: Parameter) -> list[Row]:
        """Run a named statement and return its rows."""
        return self._known.fetch(self._connection, name, parameters)

    def row(self, name: str, /, **parameters: Parameter) -> Row | None:
        """Run a named statement and return its first row, None without one."""
        found = self.rows(name, **parameters)
        return found[0] if found else None
