"""One state of the database: named statements, and the rows of tables as records."""

from datetime import datetime

import duckdb

from octavo.ledger.duckdb.statements import statements
from octavo.ledger.duckdb.table import R, Table
from octavo.ledger.duckdb.values import Parameter, Row, plain, plain_values


class Statements:
    """The statements of one opened database, each parsed once: parsing is a third of a short one's cost."""

    def __init__(self) -> None:
        self._parsed: dict[str, duckdb.Statement] = {}

    def fetch(self, connection: duckdb.DuckDBPyConnection, sql: str, parameters: dict[str, Parameter]) -> list[Row]:
        """Run a statement and return its rows."""
        parsed = self._parsed.get(sql)
        if parsed is None:
            (parsed,) = connection.extract_statements(sql)
            self._parsed[sql] = parsed
        bound = {
            key: plain_values(value) if isinstance(value, list) else plain(value) for key, value in parameters.items()
        }
        return connection.execute(parsed, bound).fetchall()


class Snapshot:
    """What is committed when a read begins; every statement sees the same state."""

    def __init__(self, connection: duckdb.DuckDBPyConnection, known: Statements, now: datetime) -> None:
        self._connection = connection
        self._known = known
        self.now = now

    def run(self, sql: str, parameters: dict[str, Parameter]) -> list[Row]:
        """Run a statement that was made for its occasion, and return its rows."""
        return self._known.fetch(self._connection, sql, parameters)

    def rows(self, name: str, /, **parameters: Parameter) -> list[Row]:
        """Run a named statement and return its rows."""
        return self._known.fetch(self._connection, statements()[name], parameters)

    def row(self, name: str, /, **parameters: Parameter) -> Row | None:
        """Run a named statement and return its first row, None without one."""
        found = self.rows(name, **parameters)
        return found[0] if found else None

    def records(self, table: Table[R], name: str, /, **parameters: Parameter) -> list[R]:
        """Run a named statement that selects a table's columns, and return its rows as records."""
        return [table.read(row) for row in self.rows(name, **parameters)]

    def record(self, table: Table[R], name: str, /, **parameters: Parameter) -> R | None:
        """Do that and return the first record, None without one."""
        found = self.row(name, **parameters)
        return None if found is None else table.read(found)
