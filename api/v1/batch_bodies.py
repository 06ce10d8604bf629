"""Batches and items as `/v1` shows them: the ledger's fields, and what may be expected of them."""

from collections.abc import Sequence
from typing import Any

from api.v1.schemas import batch_fields, item_fields
from octavo.batches import Batch, Customer, Item
from octavo.service.estimates import Estimates

Json = dict[str, Any]


def batch_body(estimates: Estimates, customer: Customer, batch: Batch) -> Json:
    """Return a batch with every documented key, its estimate and why its pending items wait."""
    expected = estimates.of_batch(customer, batch)
    return {
        "object": "batch",
        **batch_fields(batch),
        "eta_seconds": expected.eta_seconds,
        "reason": expected.reason,
    }


def item_bodies(estimates: Estimates, customer: Customer, items: Sequence[Item]) -> list[Json]:
    """Return items with every documented key, and why the pending ones wait."""
    reasons = estimates.of_items(customer, items)
    return [
        {"object": "batch_item", **item_fields(item), "reason": reason}
        for item, reason in zip(items, reasons, strict=True)
    ]
