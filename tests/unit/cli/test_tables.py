"""Tables of accounts: one to a line, names as they are."""

import pytest
from rich.table import Table

from octavo.cli import tables, terminal

DEFAULTS = {"submissions_per_minute": None, "page_quota": None, "retention_seconds": None}


def lines(table: Table, capsys: pytest.CaptureFixture[str]) -> list[list[str]]:
    terminal.out.print(table)
    return [line.split() for line in capsys.readouterr().out.splitlines()]


def test_customers_are_shown_one_to_a_line_with_their_limits(capsys: pytest.CaptureFixture[str]) -> None:
    limited = {"submissions_per_minute": 90, "page_quota": 0, "retention_seconds": 3600}
    customers: list[dict[str, object]] = [
        {"name": "[red]acme[/]", "id": "cust_1", "item_cap": 16, "enabled": True, **DEFAULTS},
        {"name": "globex", "id": "cust_2", "item_cap": 8, "enabled": False, **limited},
    ]
    assert lines(tables.customer_table(customers), capsys) == [
        ["customer", "id", "cap", "enabled", "rate", "quota", "retention"],
        ["[red]acme[/]", "cust_1", "16", "yes", "default", "none", "default"],
        ["globex", "cust_2", "8", "no", "90", "0", "3600s"],
    ]


def test_keys_are_shown_without_a_secret(capsys: pytest.CaptureFixture[str]) -> None:
    key = {"id": "key_1", "prefix": "oct_ab", "label": "[b]x", "created_at": "then", "uploads_only": True}
    assert lines(tables.key_table([key | {"revoked_at": None}, key | {"revoked_at": "now"}]), capsys)[1:] == [
        ["key_1", "oct_ab", "then", "yes", "no", "[b]x"],
        ["key_1", "oct_ab", "then", "yes", "now", "[b]x"],
    ]


def test_usage_ends_with_a_sum(capsys: pytest.CaptureFixture[str]) -> None:
    day = {"date": "2026-11-01", "customer": "acme", "pages": 3, "items": 2, "batches": 1}
    assert lines(tables.usage_table([day, day]), capsys)[-1] == ["total", "6", "4"]
    assert "no quota" in tables.account_line({"limit": None, "used": 6, "remaining": None})
    assert "4 left" in tables.account_line({"limit": 10, "used": 6, "remaining": 4})


def test_a_difference_shows_both_sides(capsys: pytest.CaptureFixture[str]) -> None:
    found = {"kind": "not_billed", "item_id": "i", "batch_id": "b", "customer_id": "c", "billed": None, "found": "2"}
    assert lines(tables.audit_table([found]), capsys)[1] == ["not_billed", "i", "b", "c", "-", "2"]
