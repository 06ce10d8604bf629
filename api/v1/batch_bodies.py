"""Batches and items as `/v1` shows them: the ledger's fields, and what may be expected of them."""

from collections.abc import Sequence
from typing import Any

from api.http.dependencies import Service
from api.orchestrator.estimates import item_reason
from api.v1.schemas import batch_fields, item_fields
from octavo.batches import Batch, Customer, Item, ItemStatus

Json = dict[str, Any]


def batch_body(service: Service, customer: Customer, batch: Batch) -> Json:
    """Return a batch with every documented key, its estimate and why its pending items wait."""
    waits = batch.counts.pending > 0 and not batch.status.is_terminal
    return {
        "object": "batch",
        **batch_fields(batch),
        "eta_seconds": service.outlook.eta_seconds(batch),
        "reason": service.outlook.reason(service.ledger, service.workers, customer) if waits else None,
    }


def item_bodies(service: Service, customer: Customer, items: Sequence[Item]) -> list[Json]:
    """Return items with every documented key, and why the pending ones wait."""
    reason = ""
    if any(item.status is ItemStatus.PENDING for item in items):
        reason = service.outlook.reason(service.ledger, service.workers, customer)
    return [{"object": "batch_item", **item_fields(item), "reason": item_reason(item, reason)} for item in items]
