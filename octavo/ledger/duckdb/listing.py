"""The items of a customer, over all of its batches: filtered, in an order, page by page.

There is no index: the columns of a filter are read from end to end, which takes a few milliseconds for a million
rows, and of a page only the rows that are on it are read whole.
"""

from octavo.batches import Item
from octavo.ledger.contract import ItemOrder, ItemQuery
from octavo.ledger.duckdb.snapshot import Snapshot
from octavo.ledger.duckdb.statements import statements
from octavo.ledger.duckdb.tables import SHOWN_ITEMS
from octavo.ledger.duckdb.values import Parameter


def list_items(view: Snapshot, query: ItemQuery) -> list[Item]:
    """Return a page of a customer's items."""
    part = query.source_name_contains
    has_wildcards = part is not None and ("%" in part or "_" in part)
    parameters: dict[str, Parameter] = {
        "customer_id": query.customer_id,
        "dialect": query.dialect,
        "statuses": list(query.statuses) or None,
        "batch_id": query.batch_id,
        "source_name": query.source_name,
        # ILIKE takes half the time; where the part has characters that it takes for wildcards, it finds too much.
        "pattern": None if part is None else f"%{part}%",
        "part": part if has_wildcards else None,
        "created_from": query.created_from,
        "created_before": query.created_before,
        "moment": None if query.after is None else query.after.moment,
        "item_id": None if query.after is None else query.after.item_id,
        "limit": query.limit,
    }
    rows = view.run(_sql(query.order, is_ascending=query.is_ascending), parameters)
    return [SHOWN_ITEMS.read(row).record() for row in rows]


def _sql(order: ItemOrder, *, is_ascending: bool) -> str:
    """Return the statement for an order: a column cannot be a parameter."""
    return (
        statements()["items_of_customer"]
        .replace("<key>", order.value)
        .replace("<beyond>", ">" if is_ascending else "<")
        .replace("<direction>", "ASC" if is_ascending else "DESC")
    )
