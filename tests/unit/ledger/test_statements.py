"""The ledger's SQL files."""

import re
from importlib.resources import files
from pathlib import Path

import pytest

from octavo.ledger.duckdb import statements


def test_every_statement_is_used_and_every_used_one_is_there() -> None:
    package = Path(str(files("octavo.ledger.duckdb")))
    code = "\n".join(module.read_text() for module in package.glob("*.py"))
    used = set(re.findall(r'\b(?:rows|row|records|record)\(\s*(?:[A-Z_]+,\s*)?"(\w+)"', code))
    used |= set(re.findall(r'sql\["(\w+)"\]', code))
    used |= set(re.findall(r'statements\(\)\["(\w+)"\]', code))
    assert used == set(statements.statements())


def test_no_statement_loops_over_rows_or_names_a_changing_column_in_an_index() -> None:
    package = files("octavo.ledger.duckdb")
    schema = "\n".join(step.sql for step in statements.migrations())
    assert "CREATE INDEX" not in schema.upper()
    assert "REFERENCES" not in schema.upper()
    for module in Path(str(package)).glob("*.py"):
        assert "executemany" not in module.read_text()


@pytest.mark.parametrize(
    "text", ["SELECT 1", "-- name: a\nSELECT 1", "SELECT 0;\n-- name: a\n-- purpose: b.\nSELECT 1"]
)
def test_a_statement_without_name_and_purpose_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="begins with"):
        statements._parse(text)
