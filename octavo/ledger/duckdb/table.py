"""A table as the dataclass of its rows: column list, insert, update and the reading of rows follow from it.

A migration makes the table, the dataclass says what is in it; a test holds the two against each other. What is
generated here is only what would say the columns once more; every query is in a `.sql` file, in which `{items}`
stands for the columns of `items`, and `{i.items}` for the same of an alias.
"""

import json
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import MISSING, Field, dataclass, fields
from datetime import datetime
from enum import StrEnum
from types import NoneType, UnionType
from typing import Any, ClassVar, Generic, Protocol, TypeVar, Union, get_args, get_origin, get_type_hints

from octavo.ledger.changing_row import ChangingRow
from octavo.ledger.duckdb.values import Parameter, Row, Value, utc


class Runs(Protocol):
    """Whatever runs a statement: a transaction."""

    def run(self, sql: str, parameters: dict[str, Parameter]) -> list[Row]:
        """Run a statement."""
        ...


class Record(Protocol):
    """Any dataclass."""

    __dataclass_fields__: ClassVar[dict[str, Field[Any]]]


R = TypeVar("R", bound=Record)

_SQL_TYPES: dict[type, str] = {str: "VARCHAR", bool: "BOOLEAN", int: "BIGINT", float: "DOUBLE", datetime: "TIMESTAMP"}
"""A narrower column (INTEGER) takes a BIGINT as it comes."""


@dataclass(frozen=True, slots=True)
class Column:
    """One field of a row as DuckDB keeps it."""

    field: str
    name: str
    sql_type: str
    is_nullable: bool
    read: Callable[[Any], Any] | None
    """Makes the field's value of the column's, None where they are the same."""
    write: Callable[[Any], Value] | None


def _column(field: Field[Any], hint: object, name: str) -> Column:
    kinds = [kind for kind in _union(hint) if kind is not NoneType]
    kind = kinds[0]
    while hasattr(kind, "__supertype__"):
        kind = kind.__supertype__
    origin = get_origin(kind) or kind
    read: Callable[[Any], Any] | None = None
    write: Callable[[Any], Value] | None = None
    if issubclass(origin, StrEnum):
        sql_type, read = "VARCHAR", origin
    elif issubclass(origin, datetime):
        sql_type, read = "TIMESTAMP", utc
    elif hasattr(origin, "of_json"):
        sql_type, read, write = "VARCHAR", origin.of_json, origin.to_json
    elif issubclass(origin, Mapping):
        sql_type, read, write = "VARCHAR", json.loads, _dumped_mapping
    elif issubclass(origin, tuple):
        sql_type, read, write = "VARCHAR", _loaded_tuple, json.dumps
    else:
        sql_type = _SQL_TYPES[origin]
    return Column(field.name, name, sql_type, NoneType in _union(hint), read, write)


def _union(hint: object) -> tuple[Any, ...]:
    return get_args(hint) if get_origin(hint) in (UnionType, Union) else (hint,)


def _dumped_mapping(value: Mapping[str, object]) -> str:
    return json.dumps(dict(value))


def _loaded_tuple(text: str) -> tuple[Any, ...]:
    return tuple(json.loads(text))


class Table(Generic[R]):
    """One table and the dataclass of its rows.

    `key` is what an update finds a row by; without one there is one row. `fixed` are fields that an update leaves
    alone unless it names them; `renamed` are those whose columns have another name; `unread` are columns no row has.
    """

    def __init__(
        self,
        name: str,
        record: type[R],
        *,
        key: Sequence[str] = (),
        fixed: Sequence[str] = (),
        renamed: Mapping[str, str] | None = None,
        unread: Sequence[str] = (),
        leaves_out: Sequence[str] = (),
    ) -> None:
        self.name = name
        self.unread = frozenset(unread)
        self._record = record
        self._key = tuple(key)
        hints = get_type_hints(record)
        names = renamed or {}
        self.columns = tuple(
            _column(field, hints[field.name], names.get(field.name, field.name))
            for field in fields(record)
            if field.name not in leaves_out
        )
        self._defaults = {field.name: field.default for field in fields(record) if field.default is not MISSING}
        self._by_field = {column.field: column for column in self.columns}
        self._fields = tuple(column.field for column in self.columns)
        self._conversions = [(place, one.read) for place, one in enumerate(self.columns) if one.read is not None]
        self._changing = tuple(one for one in self._fields if one not in {*fixed, *key})
        self._known: dict[object, str] = {}

    def without(self, *names: str) -> "Table[R]":
        """Return the same for reading less: fields that are left out have their defaults."""
        return Table(self.name, self._record, leaves_out=names)

    def select(self, alias: str = "") -> str:
        """Return the columns for a SELECT, in the order in which `read` takes them."""
        start = f"{alias}." if alias else ""
        return ", ".join(start + column.name for column in self.columns)

    def read(self, row: Row) -> R:
        """Return the record of a row that was selected with `select`."""
        values = list(row)
        for place, convert in self._conversions:
            if values[place] is not None:
                values[place] = convert(values[place])
        return self._record(**dict(zip(self._fields, values, strict=True)))

    def insert(self, view: Runs, *, clause: str = "", **values: Any) -> None:
        """Insert rows given by field: a list has a value for each row, anything else is the same for all of them.

        A field that is not given has the record's default. `clause` goes behind the statement (`ON CONFLICT ...`).
        """
        # A column without a value is NULL by itself: no column that may be NULL has a default.
        given = {name: value for name, value in _given_once(self._defaults | values).items() if value is not None}
        many = frozenset(name for name, value in given.items() if isinstance(value, list))
        known = ("insert", many, frozenset(given), clause)
        sql = self._known.get(known)
        if sql is None:
            sql = self._known[known] = self._insert_sql(many, given, clause)
        view.run(sql, {name: self._bound(name, value) for name, value in given.items()})

    def insert_rows(self, view: Runs, rows: Sequence[R], *, clause: str = "") -> None:
        """Insert these rows; without any, nothing."""
        if rows:
            values = {name: [getattr(row, name) for row in rows] for name in self._fields}
            self.insert(view, clause=clause, **values)

    def update(self, view: Runs, rows: Sequence[R], *names: str) -> None:
        """Write back fields of rows, by key: those that are named, else all that have changed and are not fixed."""
        changing = names or self._changed(rows)
        if rows and changing:
            lists = {name: [getattr(row, name) for row in rows] for name in (*self._key, *changing)}
            self.set(view, **lists)
        for row in rows:
            if isinstance(row, ChangingRow):
                row.mark_stored(changing)

    def set(self, view: Runs, **lists: list[Any]) -> None:
        """Set columns of rows: each list has a value for each row, those of the key tell which rows these are."""
        changing = tuple(name for name in lists if name not in self._key)
        view.run(*self._for_one_or_many(lists, lambda many: self._update_sql(changing, many=many)))

    def delete(self, view: Runs, **keys: list[Any]) -> None:
        """Delete the rows with these keys, given as in `set`."""
        view.run(*self._for_one_or_many(keys, lambda many: self._delete_sql(many=many)))

    def _for_one_or_many(
        self, lists: Mapping[str, list[Any]], sql: Callable[[bool], str]
    ) -> tuple[str, dict[str, Parameter]]:
        # For one row a statement is a third cheaper than that for several, and one is the rule.
        many = len(next(iter(lists.values()))) != 1
        values = {name: self._bound(name, value if many else value[0]) for name, value in lists.items()}
        return sql(many), values

    def _changed(self, rows: Sequence[R]) -> Sequence[str]:
        """Return the fields to write: those that have changed in any row, all where a row cannot tell."""
        changed: set[str] = set()
        for row in rows:
            if not isinstance(row, ChangingRow):
                return self._changing
            changed |= row.changed_fields()
        return tuple(name for name in self._changing if name in changed)

    def _bound(self, name: str, value: Any) -> Parameter:  # noqa: ANN401 # whatever the field holds
        write = self._by_field[name].write
        if write is None:
            bound: Parameter = value
            return bound
        if isinstance(value, list):
            return [None if one is None else write(one) for one in value]
        return None if value is None else write(value)

    def _insert_sql(self, many: Collection[str], given: Collection[str], clause: str) -> str:
        new = [column for column in self.columns if column.field in given]
        columns = ", ".join(column.name for column in new)
        values = ", ".join(
            f"unnest(${one.field}::{one.sql_type}[])" if one.field in many else f"${one.field}::{one.sql_type}"
            for one in new
        )
        return f"INSERT INTO {self.name} ({columns}) SELECT {values} {clause}"

    def _delete_sql(self, *, many: bool) -> str:
        if not many:
            return f"DELETE FROM {self.name} WHERE {self._is_row()}"  # noqa: S608
        keys = [self._by_field[name] for name in self._key]
        names = ", ".join(one.name for one in keys)
        lists = ", ".join(f"unnest(${one.field}::{one.sql_type}[])" for one in keys)
        return f"DELETE FROM {self.name} WHERE ({names}) IN (SELECT {lists})"  # noqa: S608

    def _is_row(self) -> str:
        keys = [self._by_field[name] for name in self._key]
        return " AND ".join(f"{one.name} = ${one.field}" for one in keys) or "true"

    def _update_sql(self, changing: Sequence[str], *, many: bool) -> str:
        known = ("update", tuple(changing), many)
        sql = self._known.get(known)
        if sql is None:
            sql = self._known[known] = self._new_update_sql(changing, many=many)
        return sql

    def _new_update_sql(self, changing: Sequence[str], *, many: bool) -> str:
        new, key = ([self._by_field[name] for name in names] for names in (changing, self._key))
        if not many:
            values = ", ".join(f"{one.name} = ${one.field}::{one.sql_type}" for one in new)
            return f"UPDATE {self.name} SET {values} WHERE {self._is_row()}"  # noqa: S608
        values = ", ".join(f"{one.name} = u.{one.name}" for one in new)
        lists = ", ".join(f"unnest(${one.field}::{one.sql_type}[]) AS {one.name}" for one in (*key, *new))
        rows = " AND ".join(f"{self.name}.{one.name} = u.{one.name}" for one in key)
        return f"UPDATE {self.name} SET {values} FROM (SELECT {lists}) u WHERE {rows}"  # noqa: S608


def _given_once(values: dict[str, Any]) -> dict[str, Any]:
    """Return values of columns; one that is the same object in all rows is given once, for lists are dear."""
    found = dict(values)
    lists = [name for name, value in values.items() if isinstance(value, list)]
    for name in lists[1:]:
        first = values[name][0]
        if all(one is first for one in values[name]):
            found[name] = first
    return found
