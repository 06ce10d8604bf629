"""The SQL of the ledger, read from the `.sql` files beside this module.

A query file holds statements that each begin with `-- name:` and a one-line `-- purpose:`; `{items}` in one stands
for the columns of the table `items`, `{i.items}` for those of its alias `i`.
a migration is a file of its own, numbered, and never changed once it was shipped.
"""

import re
from dataclasses import dataclass
from functools import cache
from importlib.resources import files

from octavo.ledger.duckdb.tables import SELECTABLE

_HEAD = re.compile(r"^-- name: (\w+)\n-- purpose: (.+)\n", re.MULTILINE)
_COLUMNS = re.compile(r"\{(?:(?P<alias>\w+)\.)?(?P<table>\w+)\}")
_MIGRATION = re.compile(r"^(\d{4})_(\w+)\.sql$")


@dataclass(frozen=True, slots=True)
class Migration:
    """One step of the schema."""

    version: int
    name: str
    sql: str


@cache
def statements() -> dict[str, str]:
    """Return all named statements. Raises ValueError for a name given twice or text without a name."""
    found: dict[str, str] = {}
    for entry in (files(__package__) / "queries").iterdir():
        if entry.name.endswith(".sql"):
            for name, sql in _parse(entry.read_text()):
                if name in found:
                    raise ValueError(f"two statements are named {name}")
                found[name] = _COLUMNS.sub(_columns, sql)
    return found


def _columns(placeholder: re.Match[str]) -> str:
    return SELECTABLE[placeholder["table"]].select(placeholder["alias"] or "")


def _parse(text: str) -> list[tuple[str, str]]:
    heads = list(_HEAD.finditer(text))
    if not heads or text[: heads[0].start()].strip() or len(heads) != text.count("-- name:"):
        raise ValueError("every statement begins with a name and a purpose")
    ends = [head.start() for head in heads[1:]] + [len(text)]
    return [(head[1], text[head.end() : end].strip()) for head, end in zip(heads, ends, strict=True)]


@cache
def migrations() -> tuple[Migration, ...]:
    """Return all migrations in order; a number may stay unused. Raises ValueError for a number given twice."""
    found = []
    for entry in (files(__package__) / "migrations").iterdir():
        if match := _MIGRATION.match(entry.name):
            found.append(Migration(int(match[1]), match[2], entry.read_text()))
    found.sort(key=lambda migration: migration.version)
    if len({migration.version for migration in found}) < len(found):
        raise ValueError("two migrations have the same number")
    return tuple(found)
