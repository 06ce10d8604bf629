"""A second stack beside the first: used from another address, killed whole in mid-batch, started again.

The tests share one stack and go through its life in the order in which they stand.
"""

import contextlib
import os
import signal
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import httpx
import pytest

from octavo.batches import ItemStatus
from octavo.client.customer import CustomerClient
from octavo.ledger.duckdb import DuckdbLedger
from tests.acceptance.stack import Stack, new_stack, processes, run_octavo, wait_for

HOST = "127.0.0.2"
ITEMS = 24


@pytest.fixture(scope="module")
def second(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    found = new_stack(tmp_path_factory.mktemp("second") / "data")
    found.host = HOST
    found.settings = dict(found.settings) | {
        "OCTAVO_API__HOST": "0.0.0.0",  # noqa: S104 - the case
        "OCTAVO_API__PUBLIC_URL": found.url,
        "OCTAVO_WORKER__PROCESSES": "1",
    }
    found.start()
    try:
        yield found
    finally:
        with contextlib.suppress(ProcessLookupError):
            found.stop()


def test_two_stacks_live_side_by_side(stack: Stack, second: Stack) -> None:
    for found, other in ((stack, second), (second, stack)):
        health = found.health()
        assert health is not None
        assert health.status_code == 200
        assert health.json()["api_url"] == found.url
        refused = httpx.get(
            f"{other.url}/v1/batches", headers={"X-API-KEY": found.new_key("here")}, trust_env=False, timeout=10
        )
        assert refused.status_code == 401  # keys of one stack are nothing to the other


def test_a_client_at_another_address_is_served_from_there_end_to_end(second: Stack, tmp_path: Path) -> None:
    note = tmp_path / "note.txt"
    note.write_text("a note")
    with second.customer("elsewhere") as client:
        staged = client.stage(note)
        assert urlsplit(staged.upload_url).hostname == HOST
        batch = second.submit_sleeping(client, tmp_path, items=1, seconds=0)
        (item,) = batch.wait_until_ended()["items"]
        redirect = client._api.get(f"/v1/batches/{batch.batch_id}/items/{item['id']}/result")
        assert urlsplit(redirect.headers["Location"]).hostname == HOST
    ended = run_octavo(
        *("submit", str(note), "--url", second.url, "--key", second.new_key("elsewhere")),
        *("--engine", "sleep:0", "--out", str(tmp_path / "out"), "--fail-on-error"),
    )
    assert ended.returncode == 0, ended.stderr
    assert (tmp_path / "out" / "note.txt.json").exists()


def test_the_whole_stack_killed_in_mid_batch_finishes_it_when_it_is_started_again(
    second: Stack, tmp_path: Path
) -> None:
    late = tmp_path / "late.txt"
    late.write_text("uploaded after the fall")
    key = second.new_key("stubborn")
    with CustomerClient(second.url, key) as client:
        staged_before = client.stage(late)
        batch = second.submit_sleeping(client, tmp_path, items=ITEMS, seconds=1.5)
        # Some of them are read by parsers in children of their own.
        read = client.submit([_upload_report(client, tmp_path)], engine=None, idempotency_key="read")
        batch.wait_until_running(succeeded=4)
        ports = second.data / "stack.json"
        before = ports.read_text()

        _kill_whole(second)
        assert _in_work(second)  # what was in work at the fall still lies there
        # A killed stack leaves no lock: the next one is not refused.
        second.start()

        assert ports.read_text() == before
        found = batch.wait_until_ended()
        assert found["status"] == "completed"
        assert [item["status"] for item in found["items"]] == [ItemStatus.SUCCEEDED] * ITEMS
        wait_for(lambda: client.batch(read["id"])["status"] == "completed", limit=60, what="the report's end")
        second.wait_until_prefect_shows_the_end(batch.batch_id)
        client.upload(staged_before, late)
        after = client.submit([staged_before.file_id], engine="sleep:0", idempotency_key="late")
        wait_for(lambda: client.batch(after["id"])["status"] == "completed", limit=30, what="the late one's end")


def test_a_stack_that_is_told_to_end_leaves_nothing_behind(second: Stack) -> None:
    family = second.family()
    assert second.stop() == 0
    assert not set(family) & set(processes())
    stopped = [line.split()[1] for line in second.terminal.splitlines() if line.endswith("stopped")]
    assert stopped == ["worker", "api", "prefect", "storage"]
    assert not _in_work(second)


def test_nothing_was_billed_twice(second: Stack) -> None:
    ledger = DuckdbLedger(second.data / "ledger.duckdb")
    try:
        for customer in ledger.accounts.customers():
            batches = ledger.batches.of_customer(customer.customer_id, status=None, after=None, limit=100)
            items = [item for batch in batches for item in ledger.batches.items(batch.batch_id, after=None, limit=500)]
            assert all(item.status.is_terminal for item in items)
            succeeded = [item for item in items if item.status is ItemStatus.SUCCEEDED]
            assert ledger.billing.pages_used(customer.customer_id) == sum(item.page_count or 0 for item in succeeded)
            if customer.name == "stubborn":
                assert len(succeeded) == ITEMS + 2
    finally:
        ledger.close()


def _in_work(stack: Stack) -> list[Path]:
    """Return the folders of documents in work and of sandboxes."""
    return list((stack.data / "scratch").rglob("octavo-*"))


def _upload_report(client: CustomerClient, folder: Path) -> str:
    from octavo.samples import make_report

    path = folder / "report.pdf"
    make_report(path)
    staged = client.stage(path)
    client.upload(staged, path)
    return staged.file_id


def _kill_whole(stack: Stack) -> None:
    """Kill every process of a stack, the parent first, and wait until all have gone."""
    family = stack.family()
    assert len(family) > 6  # parent, four parts, the fork server and a child of its own
    for pid in family:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
    assert stack.process is not None
    stack.process.wait(120)
    wait_for(lambda: not set(family) & set(processes()), limit=10, what="the end of every process")
