"""The items of a customer, over all of its batches: filtered, in an order, page by page.

There is no index: the columns of a filter are read from end to end, which takes a few milliseconds for a million
rows, and of a page only the rows that are on it are read whole.
"""

from octavo.batches import Item
from octavo.ledger.contract import ItemOrder, ItemQuery
from octavo.ledger.duckdb.snapshot import Snapshot
from octavo.ledger.duckdb.statements import statements
from octavo.ledger.duckdb.tables import ITEMS
from octavo.ledger.duckdb.values import Parameter


def list_items(view: Snapshot, query: ItemQuery) -> list[Item]:
    """Return a page of a customer's items."""
    parameters: dict[str, Parameter] = {
        "customer_id": query.customer_id,
        "dialect": query.dialect,
        "statuses": list(query.statuses) or None,
        "batch_id": query.batch_id,
        "source_name": query.source_name,
        "part": query.source_name_contains,
        "created_from": query.created_from,
        "created_before": query.created_before,
        "moment": None if query.after is None else query.after.moment,
        "item_id": None if query.after is None else query.after.item_id,
        "limit": query.limit,
    }
    rows = view.run(_sql(query.order, is_ascending=query.is_ascending), parameters)
    return [ITEMS.read(row).record() for row in rows]


def _sql(order: ItemOrder, *, is_ascending: bool) -> str:
    """Return the statement for an order: a column cannot be a parameter."""
    return (
        statements()["items_of_customer"]
        .replace("<key>", order.value)
        .replace("<beyond>", ">" if is_ascending else "<")
        .replace("<direction>", "ASC" if is_ascending else "DESC")
    )
