"""The tables of the ledger. A column is added by a migration and a field of the row's dataclass, and nowhere else."""

from octavo.batches import Customer, Run, StagedFile
from octavo.ledger.archive import ArchivePosition, LedgerIdentity
from octavo.ledger.contract import PendingDeletion
from octavo.ledger.duckdb.table import Table
from octavo.ledger.quotas import ReservationRow
from octavo.ledger.rows import (
    AttemptRow,
    BatchRow,
    DeletionRow,
    DeliveryRow,
    IdempotencyRow,
    ItemRow,
    KeyRow,
    SliceRow,
    UsageRow,
)
from octavo.webhooks.records import Webhook

IDENTITY = Table("identity", LedgerIdentity)
ARCHIVE_POSITION = Table("archive_position", ArchivePosition)
CUSTOMERS = Table("customers", Customer, key=["customer_id"], fixed=["name", "created_at"])
API_KEYS = Table("api_keys", KeyRow, key=["key_id"])
FILES = Table("files", StagedFile, key=["file_id"], unread=["file_no"])
"""`file_no` numbers files in the order they were staged, by itself."""
BATCHES = Table(
    "batches",
    BatchRow,
    key=["batch_id"],
    fixed=[
        "batch_no",
        "customer_id",
        "total_items",
        "engine",
        "options",
        "metadata",
        "priority",
        "retention_seconds",
        "created_at",
        "dialect",
    ],
    unread=["expired_to"],
)
"""`expired_to` is the expiry's alone."""
ITEMS = Table(
    "items",
    ItemRow,
    key=["item_id"],
    fixed=[
        "batch_no",
        "batch_id",
        "customer_id",
        "file_id",
        "position",
        "created_at",
        "dialect",
        "source_kind",
        "source_name",
        "source_url",
        "metadata",
        "lease_no",
        "pages_done",
        "pages_total",
        "kept_in",
    ],
)
"""A lease and progress have updates of their own: they come often, and change little."""
SHOWN_ITEMS = ITEMS.without("batch_no", "lease_no", "lost_leases", "finished_lease_no", "kept_in", "seconds")
"""What an item shows: each column more makes a short read a hundredth slower."""
SHOWN_BATCHES = BATCHES.without("batch_no", "retried_at", "dialect")
SLICES = Table("slices", SliceRow, key=["slice_id"])
RUNS = Table("runs", Run, key=["batch_id", "run_no"], fixed=["customer_id", "created_at"])
USAGE = Table("usage", UsageRow)
RESERVATIONS = Table("reservations", ReservationRow, key=["item_id"])
IDEMPOTENCY_KEYS = Table("idempotency_keys", IdempotencyRow, key=["customer_id", "idempotency_key"])
WEBHOOKS = Table("webhooks", Webhook, key=["webhook_id"], fixed=["customer_id", "dialect", "created_at"])
DELIVERIES = Table(
    "deliveries",
    DeliveryRow,
    key=["delivery_id"],
    fixed=[
        "webhook_id",
        "customer_id",
        "event",
        "batch_id",
        "batch_status",
        "succeeded",
        "failed",
        "cancelled",
        "batch_completed_at",
        "batch_expires_at",
        "created_at",
    ],
)
ATTEMPTS = Table("attempts", AttemptRow)
PENDING_DELETIONS = Table("doomed", PendingDeletion, renamed={"number": "doomed_no"})
DELETIONS = Table("deletions", DeletionRow)

TABLES = {
    table.name: table
    for table in (
        IDENTITY,
        ARCHIVE_POSITION,
        CUSTOMERS,
        API_KEYS,
        FILES,
        BATCHES,
        ITEMS,
        SLICES,
        RUNS,
        USAGE,
        RESERVATIONS,
        IDEMPOTENCY_KEYS,
        WEBHOOKS,
        DELIVERIES,
        ATTEMPTS,
        PENDING_DELETIONS,
        DELETIONS,
    )
}
SELECTABLE = {**TABLES, "shown_items": SHOWN_ITEMS, "shown_batches": SHOWN_BATCHES}
"""What a query may name in braces."""
