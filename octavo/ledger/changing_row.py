"""Rows that know which of their fields have changed since they were stored."""

from collections.abc import Iterable
from typing import Any, Self


class ChangingRow:
    """The base of the rows that a ledger changes in place: an update then writes what is new, and nothing else.

    A statement's cost grows with its columns: one that sets 24 takes twice the time of one that sets four
    (`python -m bench.ledger`).
    """

    __slots__ = ("_changes",)
    _changes: set[str]

    def __new__(cls, *_: Any, **__: Any) -> Self:
        row = super().__new__(cls)
        object.__setattr__(row, "_changes", set())
        return row

    def __post_init__(self) -> None:
        """Begin without changes: a row is made of what is stored, or is stored whole."""
        self._changes.clear()

    def __setattr__(self, name: str, value: Any) -> None:  # noqa: ANN401 - whatever the field holds
        self._changes.add(name)
        object.__setattr__(self, name, value)

    def changed_fields(self) -> frozenset[str]:
        """Return the fields that were set since the row was made or stored."""
        return frozenset(self._changes)

    def mark_stored(self, names: Iterable[str]) -> None:
        """Note that these fields are stored as they are now."""
        self._changes.difference_update(names)
