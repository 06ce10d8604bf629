"""The ledger's file is deleted in mid-batch; after `octavo ledger rebuild` the batch continues."""

import os
import secrets
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from octavo.client.customer import CustomerClient
from octavo.directory import DataDirectory
from octavo.ledger.duckdb import DuckdbLedger
from tests.acceptance.stack import Batch, Stack, new_stack, processes, run_octavo, wait_for

ITEMS = 60


@pytest.fixture
def own(tmp_path: Path) -> Iterator[Stack]:
    """A stack that a test may kill."""
    stack = new_stack(tmp_path / "data")
    stack.start()
    yield stack
    kill(stack)


def kill(stack: Stack) -> None:
    """Kill every process of a stack at once, as a power cut would."""
    assert stack.process is not None
    family = [] if stack.process.poll() is not None else stack.family()
    for pid in family:
        os.kill(pid, signal.SIGKILL)
    stack.process.wait(120)
    wait_for(lambda: not set(family) & processes().keys(), limit=30, what="the end of every process")


def stage(client: CustomerClient, path: Path) -> str:
    path.write_bytes(secrets.token_bytes(64))
    staged = client.stage(path)
    client.upload(staged, path)
    return str(staged.file_id)


def archived_outcomes(stack: Stack, batch_id: str) -> int:
    """How many outcomes the archive holds, as whoever looks into the folder counts them."""
    folder = DataDirectory(stack.data).objects / "octavo" / "ledger" / "batches" / batch_id
    return sum(len(piece.read_bytes().splitlines()) - 1 for piece in folder.rglob("*.jsonl"))


@pytest.mark.timeout(900)
def test_a_ledger_deleted_in_mid_batch_is_made_anew_and_the_batch_goes_on(own: Stack, tmp_path: Path) -> None:
    with CustomerClient(own.url, own.new_key("acme")) as client:
        file_ids = [stage(client, tmp_path / f"page-{number:03}.txt") for number in range(ITEMS)]
        batch = Batch(client, submit(client, file_ids))
        waiting = stage(client, tmp_path / "waiting.txt")
        wait_for(lambda: archived_outcomes(own, batch.batch_id) >= 10, limit=60, what="archived outcomes")
        kill(own)
        ledger = DataDirectory(own.data).ledger
        ledger.unlink()
        ledger.with_name(f"{ledger.name}.wal").unlink(missing_ok=True)
        refused = run_octavo("up", "--data", str(own.data), "--port", str(own.port))
        assert refused.returncode == 78
        assert f"octavo ledger rebuild --data {own.data}" in refused.stderr
        rebuild(own)

        own.start()
        assert submit(client, file_ids) == batch.batch_id  # the idempotency key
        found = batch.wait_until_ended()
        assert found["status"] == "completed"
        assert [item["status"] for item in found["items"]] == ["succeeded"] * ITEMS
        assert all(client.result(batch.batch_id, item["id"]) for item in found["items"])
        later = Batch(client, submit(client, [waiting]))
        assert later.wait_until_ended()["status"] == "completed"
    assert_prefect_shows_the_truth(own, batch.batch_id)
    assert own.stop() == 0
    assert pages_billed(ledger) == ITEMS + 1


def submit(client: CustomerClient, file_ids: list[str]) -> str:
    """Submit these files, the same ones with the same key; returns the batch's id."""
    return str(client.submit(file_ids, engine="sleep:1", idempotency_key=file_ids[0])["id"])


def rebuild(stack: Stack) -> None:
    """Rebuild the ledger in mid-batch; it tells what it found."""
    rebuilt = run_octavo("ledger", "rebuild", "--data", str(stack.data))
    assert rebuilt.returncode == 0, rebuilt.stderr
    rows = {name.strip(): count for name, count in (line.rsplit(None, 1) for line in rebuilt.stdout.splitlines())}
    kept = int(rows["items succeeded"])
    assert 10 <= kept < ITEMS
    assert rows == {
        "customers": "1",
        "keys": "1",
        "files": str(ITEMS + 1),
        "batches": "1",
        "items pending": str(ITEMS - kept),
        "items succeeded": str(kept),
        "pages billed": str(kept),
    }


def pages_billed(ledger: Path) -> int:
    """Return what the only customer of a stack that is stopped was billed."""
    opened = DuckdbLedger(ledger)
    try:
        (customer,) = opened.accounts.customers()
        return opened.billing.pages_used(customer.customer_id)
    finally:
        opened.close()


def assert_prefect_shows_the_truth(stack: Stack, batch_id: str) -> None:
    """The run that was killed is Crashed, the one after it has completed."""

    def ended() -> list[dict[str, Any]] | None:
        runs = stack.flow_runs(batch_id)
        return runs if {run["state"]["type"] for run in runs} <= {"CRASHED", "COMPLETED"} else None

    first, *_, last = wait_for(ended, limit=60, what="the end of every flow run")
    assert (first["state"]["type"], last["state"]["type"]) == ("CRASHED", "COMPLETED")
