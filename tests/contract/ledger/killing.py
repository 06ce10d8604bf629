"""Kills processes in the middle of writing to a ledger, and looks at what they leave."""

import signal
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from octavo.batches import ItemStatus
from octavo.identifiers import BatchId, ItemId
from octavo.ledger.duckdb import DuckdbLedger
from tests.contract.ledger.world import WallClock, World, recount


def kill_while_writing(path: Path, lives: Sequence[int]) -> dict[ItemId, BatchId]:
    """Let processes write to one file and kill each after so many words; returns all that was acknowledged."""
    acknowledged: dict[ItemId, BatchId] = {}
    for enough in lives:
        child = subprocess.Popen(
            [sys.executable, "-m", "tests.contract.ledger.writing_child", str(path)],
            stdout=subprocess.PIPE,
            text=True,
        )
        assert child.stdout is not None
        with child, child.stdout:
            lines = [child.stdout.readline() for _ in range(enough)]
            child.send_signal(signal.SIGKILL)
            lines.extend(line for line in child.stdout if line.endswith("\n"))
        assert child.returncode == -signal.SIGKILL
        for line in lines:
            batch_id, item_id, accepted = line.split()
            assert accepted == "True"
            acknowledged[ItemId(item_id)] = BatchId(batch_id)
        check_after_kill(path, acknowledged)
    return acknowledged


def check_after_kill(path: Path, acknowledged: dict[ItemId, BatchId]) -> None:
    ledger = DuckdbLedger(path)
    try:
        world = World(ledger, WallClock())
        for item_id, batch_id in acknowledged.items():
            assert ledger.batches.item(batch_id, item_id).status is ItemStatus.SUCCEEDED
        batches = ledger.batches.of_customer(world.customer.customer_id, limit=1000)
        for batch in batches:
            assert batch.counts == recount(world.items(batch))
        assert world.pages() == sum(batch.counts.succeeded for batch in batches) >= len(acknowledged)
        (webhook,) = ledger.webhooks.of_customer(world.customer.customer_id)
        deliveries = ledger.deliveries.of_webhook(webhook.customer_id, webhook.webhook_id, limit=1000)
        told = sorted(delivery.end.batch_id for delivery in deliveries if delivery.end)
        assert told == sorted(batch.batch_id for batch in batches if batch.status.is_terminal)
        for worker in ledger.work.workers():
            ledger.work.revoke(worker_id=worker)
        assert [one.unleased for one in ledger.runs.open_batches()] == [
            one.batch.counts.pending for one in ledger.runs.open_batches()
        ]
    finally:
        ledger.close()
