"""The outbox of deliveries: a commit that ends batches writes what is to be sent about it."""

from collections.abc import Mapping, Sequence

from octavo.batches import Batch
from octavo.identifiers import CustomerId
from octavo.ledger.duckdb.snapshot import Snapshot
from octavo.ledger.duckdb.tables import DELIVERIES
from octavo.ledger.rows import DeliveryRow
from octavo.webhooks.records import Delivery, Webhook
from octavo.webhooks.schedule import deliveries_of


def store_delivery(view: Snapshot, delivery: Delivery) -> None:
    """Write back what changes of a delivery."""
    DELIVERIES.update(view, [DeliveryRow.of(delivery)])


def add_deliveries(view: Snapshot, deliveries: Sequence[Delivery]) -> None:
    """Keep new deliveries."""
    DELIVERIES.insert_rows(view, [DeliveryRow.of(one) for one in deliveries])


def add_deliveries_of_ends(
    view: Snapshot, ended: Sequence[Batch], webhooks: Mapping[CustomerId, Sequence[Webhook]]
) -> bool:
    """Write the deliveries of batches that this commit ends; False when nobody wants any."""
    made = [one for batch in ended for one in deliveries_of(batch, webhooks.get(batch.customer_id, ()), view.now)]
    add_deliveries(view, made)
    return bool(made)
