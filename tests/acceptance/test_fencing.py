"""A worker that is suspended for longer than its lease: its items went elsewhere, late reports are refused.

The settings are short ones, so that the stop need be no longer than a few seconds.
"""

import contextlib
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import duckdb
import pytest

from octavo.client.customer import CustomerClient
from tests.acceptance.stack import ROOT, Batch, Stack, new_stack, wait_for
from tests.processes import freeze

ITEMS = 16


@pytest.fixture(scope="module")
def impatient(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """Yield a stack that takes a worker for dead after five silent seconds."""
    found = new_stack(
        tmp_path_factory.mktemp("impatient") / "data",
        OCTAVO_WORKER__SILENCE_SECONDS="5",
        OCTAVO_WORKER__LEASE_SECONDS="10",
        OCTAVO_WORKER__PROCESSES="1",
    )
    with found.running():
        yield found


@contextlib.contextmanager
def second_worker(stack: Stack, folder: Path) -> Iterator[None]:
    """Run a worker of another name beside the stack's own, with the environment that one has."""
    given = Path(f"/proc/{stack.pid_of('worker')}/environ").read_bytes().split(b"\0")
    environment = dict(one.decode().split("=", 1) for one in given if b"=" in one)
    ready = folder / "ready"
    environment |= {"OCTAVO_WORKER__NAME": "second", "TMPDIR": str(folder), "OCTAVO_READY_FILE": str(ready)}
    with (folder / "worker.log").open("wb") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "deployments.worker"], env=environment, cwd=ROOT, stdout=log, stderr=log
        )
    try:
        wait_for(ready.exists, limit=60, what="the second worker")
        yield
    finally:
        process.terminate()
        process.wait(240)


def everything(batch: Batch) -> tuple[list[dict[str, Any]], list[bytes]]:
    """Return all that a customer sees of the batch: its items and their results."""
    items = sorted(batch.look()["items"], key=lambda item: int(item["position"]))
    return items, [batch.client.result(batch.batch_id, item["id"]) for item in items]


def submit(stack: Stack, client: CustomerClient, folder: Path, items: int) -> Batch:
    folder.mkdir()
    return stack.submit_sleeping(client, folder, items=items, seconds=3)


@pytest.mark.timeout(900)
def test_a_worker_that_was_stopped_overwrites_nothing_and_works_on(impatient: Stack, tmp_path: Path) -> None:
    stopped = impatient.pid_of("worker")
    log = impatient.data / "logs" / "worker.log"
    elsewhere = tmp_path / "second"
    elsewhere.mkdir()
    with impatient.customer() as client:
        batch = submit(impatient, client, tmp_path / "first batch", ITEMS)
        wait_for(lambda: batch.look()["counts"]["running"] >= 4, limit=40, what="items in work")
        freeze(stopped)
        try:
            with second_worker(impatient, elsewhere):
                found = batch.wait_until_ended()
                assert found["counts"]["succeeded"] == ITEMS
                before = everything(batch)
        finally:
            os.kill(stopped, signal.SIGCONT)
        assert max(item["attempts"] for item in before[0]) == 2, "what was in work has been begun again"
        wait_for(lambda: "came too late and were refused" in log.read_text(), limit=40, what="a late outcome")
        # The one that was stopped is the only worker now, and works on.
        again = submit(impatient, client, tmp_path / "second batch", 4)
        assert again.wait_until_ended()["counts"]["succeeded"] == 4
        assert everything(batch) == before
        assert impatient.pid_of("worker") == stopped
        assert usage_rows(impatient, batch.batch_id, again.batch_id) == ITEMS + 4


def usage_rows(stack: Stack, *batch_ids: str) -> int:
    """Stop the stack and count the rows, and the pages, that its ledger bills for these batches."""
    stack.stop()

    with duckdb.connect(stack.data / "ledger.duckdb", read_only=True) as ledger:
        row = ledger.execute(
            "SELECT count(*), count(DISTINCT item_id), sum(pages) FROM usage WHERE batch_id IN (SELECT unnest(?))",
            [list(batch_ids)],
        ).fetchone()
    assert row is not None
    assert row[0] == row[1] == row[2]
    return int(row[0])
