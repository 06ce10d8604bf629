"""A row that was changed in place is written back by the fields that are new."""

from dataclasses import dataclass, field

import duckdb

from octavo.ledger.changing_row import ChangingRow
from octavo.ledger.duckdb.table import Table
from octavo.ledger.duckdb.values import Parameter, Row


@dataclass(slots=True, kw_only=True)
class Shelf(ChangingRow):
    shelf_id: str
    books: int = 0
    label: str | None = None


@dataclass
class Connection:
    """DuckDB, and the statements it was given."""

    database: duckdb.DuckDBPyConnection = field(default_factory=duckdb.connect)
    statements: list[str] = field(default_factory=list)

    def run(self, sql: str, parameters: dict[str, Parameter]) -> list[Row]:
        self.statements.append(sql)
        return self.database.execute(sql, parameters).fetchall()


SHELVES = Table("shelves", Shelf, key=["shelf_id"])


def stored(*shelves: Shelf) -> Connection:
    connection = Connection()
    connection.database.execute("CREATE TABLE shelves (shelf_id VARCHAR PRIMARY KEY, books BIGINT, label VARCHAR)")
    SHELVES.insert_rows(connection, shelves)
    connection.statements.clear()
    return connection


def rows(connection: Connection) -> list[Row]:
    return connection.database.execute("FROM shelves ORDER BY shelf_id").fetchall()


def test_a_new_row_has_no_changes() -> None:
    assert Shelf(shelf_id="a", books=1).changed_fields() == frozenset()


def test_only_the_fields_that_changed_are_written() -> None:
    shelf = Shelf(shelf_id="a", books=1, label="old")
    connection = stored(shelf)
    shelf.books = 2
    SHELVES.update(connection, [shelf])
    assert rows(connection) == [("a", 2, "old")]
    assert "label" not in connection.statements[0]
    assert shelf.changed_fields() == frozenset()


def test_rows_that_changed_in_different_fields_are_all_written_in_one_statement() -> None:
    shelves = [Shelf(shelf_id="a", books=1), Shelf(shelf_id="b", label="old"), Shelf(shelf_id="c")]
    connection = stored(*shelves)
    shelves[0].books, shelves[1].label = 5, "new"
    SHELVES.update(connection, shelves)
    assert rows(connection) == [("a", 5, None), ("b", 0, "new"), ("c", 0, None)]
    assert len(connection.statements) == 1


def test_a_row_without_changes_costs_no_statement() -> None:
    shelf = Shelf(shelf_id="a")
    connection = stored(shelf)
    SHELVES.update(connection, [shelf])
    assert connection.statements == []


def test_a_field_that_an_update_does_not_name_stays_to_be_written() -> None:
    shelf = Shelf(shelf_id="a")
    connection = stored(shelf)
    shelf.books, shelf.label = 3, "new"
    SHELVES.update(connection, [shelf], "books")
    assert shelf.changed_fields() == {"label"}
    SHELVES.update(connection, [shelf])
    assert rows(connection) == [("a", 3, "new")]


def test_rows_are_deleted_by_key_one_or_many() -> None:
    connection = stored(*(Shelf(shelf_id=name) for name in "abcd"))
    SHELVES.delete(connection, shelf_id=["b"])
    SHELVES.delete(connection, shelf_id=["a", "d"])
    assert rows(connection) == [("c", 0, None)]
