"""Tables of what the admin API returns: customers, keys, usage, differences."""

from collections.abc import Mapping, Sequence
from typing import Any

from rich.table import Table
from rich.text import Text

Rows = Sequence[Mapping[str, Any]]
NUMBERS = {"cap", "rate", "quota", "retention", "pages", "items", "batches", "billed"}


def _table(*headings: str) -> Table:
    table = Table(box=None, pad_edge=False)
    for heading in headings:
        table.add_column(heading, justify="right" if heading in NUMBERS else "left", overflow="fold")
    return table


def customer_table(customers: Rows) -> Table:
    """Return a table with one row per customer."""
    table = _table("customer", "id", "cap", "enabled", "rate", "quota", "retention")
    for one in customers:
        retention = one["retention_seconds"]
        table.add_row(
            Text(str(one["name"])),
            str(one["id"]),
            str(one["item_cap"]),
            Text("yes") if one["enabled"] else Text("no", style="red"),
            _or(one["submissions_per_minute"], "default"),
            _or(one["page_quota"], "none"),
            "default" if retention is None else f"{retention}s",
        )
    return table


def key_table(keys: Rows) -> Table:
    """Return a table with one row per key."""
    table = _table("key", "begins", "created", "uploads only", "revoked", "label")
    for one in keys:
        table.add_row(
            str(one["id"]),
            Text(str(one["prefix"])),
            str(one["created_at"]),
            "yes" if one["uploads_only"] else "no",
            _or(one["revoked_at"], "no"),
            Text(str(one["label"])),
        )
    return table


def usage_table(days: Rows) -> Table:
    """Return a table with one row per day and customer, and a last row with the total."""
    table = _table("day", "customer", "pages", "items", "batches")
    for one in days:
        row = [str(one[name]) for name in ("pages", "items", "batches")]
        table.add_row(str(one["date"]), Text(str(one["customer"])), *row)
    table.add_row("total", "", str(sum(one["pages"] for one in days)), str(sum(one["items"] for one in days)), "")
    return table


def account_line(quota: Mapping[str, Any]) -> str:
    """Return what is left of a quota, in words."""
    if quota["limit"] is None:
        return f"{quota['used']} pages used in total; no quota"
    return f"{quota['used']} pages used in total, of a quota of {quota['limit']}; {quota['remaining']} left"


def audit_table(differences: Rows) -> Table:
    """Return a table with one row per difference."""
    table = _table("difference", "item", "batch", "customer", "billed", "found")
    for one in differences:
        values = [Text(_or(one[name], "-")) for name in ("batch_id", "customer_id", "billed", "found")]
        table.add_row(str(one["kind"]), Text(str(one["item_id"])), *values)
    return table


def _or(value: object, otherwise: str) -> str:
    return otherwise if value is None else str(value)
