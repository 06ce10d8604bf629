"""A second stack beside the first: used from another address, killed whole in mid-batch, its ledger deleted.

The tests share one stack and go through its life in the order in which they stand.
"""

import contextlib
import os
import secrets
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import duckdb
import httpx
import pytest

from octavo.batches import ItemStatus
from octavo.client.customer import CustomerClient
from octavo.directory import DataDirectory
from octavo.ledger.duckdb import DuckdbLedger
from tests.acceptance.stack import ENDED, Batch, Stack, new_stack, processes, run_octavo, wait_for

HOST = "127.0.0.2"
ITEMS = 24
REBUILT_ITEMS = 60
CAP = 8
COUNTS = """
SELECT
    (SELECT count(*) FROM customers),
    (SELECT count(*) FROM api_keys),
    (SELECT count(*) FROM files),
    (SELECT count(*) FROM batches),
    (SELECT count(*) FROM items WHERE status = 'succeeded' AND batch_id <> $batch_id),
    (SELECT coalesce(sum(pages), 0) FROM usage WHERE batch_id <> $batch_id)
"""


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
            f"{other.url}/v1/batches", headers={"X-API-KEY": found.new_key("here")}, trust_env=False, timeout=60
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


@pytest.mark.timeout(900)
def test_a_ledger_deleted_in_mid_batch_is_made_anew_and_the_batch_goes_on(second: Stack, tmp_path: Path) -> None:
    with CustomerClient(second.url, second.new_key("acme")) as client:
        file_ids = [_stage(client, tmp_path / f"page-{number:03}.txt") for number in range(REBUILT_ITEMS)]
        batch = Batch(client, _submit(client, file_ids))
        waiting = _stage(client, tmp_path / "waiting.txt")
        wait_for(lambda: _archived_outcomes(second, batch.batch_id) >= 10, limit=60, what="archived outcomes")
        _kill_whole(second)
        ledger = DataDirectory(second.data).ledger
        before = _rows(ledger, without=batch.batch_id)
        ledger.unlink()
        ledger.with_name(f"{ledger.name}.wal").unlink(missing_ok=True)
        refused = run_octavo("up", "--data", str(second.data), "--port", str(second.port))
        assert refused.returncode == 78
        assert f"octavo ledger rebuild --data {second.data}" in refused.stderr
        _rebuild(second, before)

        # Nothing of this stack is killed from here on: a tag limit's slots that a killed run held stay taken.
        second.settings = dict(second.settings) | {"OCTAVO_PREFECT__TAG_LIMITS": "true"}
        second.start()
        assert _submit(client, file_ids) == batch.batch_id  # the idempotency key
        found = batch.wait_until_ended()
        assert found["status"] == "completed"
        assert [item["status"] for item in found["items"]] == ["succeeded"] * REBUILT_ITEMS
        assert all(client.result(batch.batch_id, item["id"]) for item in found["items"])
        later = Batch(client, _submit(client, [waiting]))
        assert later.wait_until_ended()["status"] == "completed"
    _assert_prefect_shows_the_truth(second, batch.batch_id)


def test_a_batch_completes_with_the_tag_limit_on(second: Stack, tmp_path: Path) -> None:
    with second.customer() as client:
        batch = second.submit_sleeping(client, tmp_path, items=16, seconds=0.6)
        (run,) = wait_for(lambda: second.flow_runs(batch.batch_id), limit=20, what="a flow run")
        (tag,) = [tag for tag in run["tags"] if tag.startswith("customer:")]
        taken: list[int] = []

        def has_ended() -> bool:
            limit = second.prefect("GET", f"/concurrency_limits/tag/{tag}")
            assert limit["concurrency_limit"] == CAP
            taken.append(len(limit["active_slots"]))
            return batch.look()["status"] in ENDED

        wait_for(has_ended, limit=60, what="the end of the batch")
        assert batch.look()["counts"]["succeeded"] == 16
        assert 1 <= max(taken) <= CAP
        assert 1 <= max(batch.running) <= CAP


def test_a_stack_that_is_told_to_end_leaves_nothing_behind(second: Stack) -> None:
    family = second.family()
    assert second.stop() == 0
    assert not set(family) & set(processes())
    stopped = [line.split()[1] for line in second.terminal.splitlines() if line.endswith("stopped")]
    assert stopped == ["worker", "api", "prefect", "storage"]
    assert not _in_work(second)


def test_nothing_was_billed_twice(second: Stack) -> None:
    ledger = DuckdbLedger(second.data / "ledger.duckdb")
    expected = {"stubborn": ITEMS + 2, "acme": REBUILT_ITEMS + 1}
    try:
        for customer in ledger.accounts.customers():
            batches = ledger.batches.of_customer(customer.customer_id, status=None, after=None, limit=100)
            items = [item for batch in batches for item in ledger.batches.items(batch.batch_id, after=None, limit=500)]
            assert all(item.status.is_terminal for item in items)
            succeeded = [item for item in items if item.status is ItemStatus.SUCCEEDED]
            assert ledger.billing.pages_used(customer.customer_id) == sum(item.page_count or 0 for item in succeeded)
            if customer.name in expected:
                assert len(succeeded) == expected.pop(customer.name)
        assert not expected
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


def _stage(client: CustomerClient, path: Path) -> str:
    path.write_bytes(secrets.token_bytes(64))
    staged = client.stage(path)
    client.upload(staged, path)
    return str(staged.file_id)


def _submit(client: CustomerClient, file_ids: list[str]) -> str:
    """Submit these files, the same ones with the same key; returns the batch's id."""
    return str(client.submit(file_ids, engine="sleep:1", idempotency_key=file_ids[0])["id"])


def _archived_outcomes(stack: Stack, batch_id: str) -> int:
    """How many outcomes the archive holds, as whoever looks into the folder counts them."""
    folder = DataDirectory(stack.data).objects / "octavo" / "ledger" / "batches" / batch_id
    return sum(len(piece.read_bytes().splitlines()) - 1 for piece in folder.rglob("*.jsonl"))


def _rows(ledger: Path, *, without: str) -> dict[str, int]:
    """Count what the ledger of a stack that does not run holds; of one batch, no items and no pages."""
    with duckdb.connect(ledger) as opened:
        found = opened.execute(COUNTS, {"batch_id": without}).fetchone()
    assert found is not None
    names = ("customers", "keys", "files", "batches", "items succeeded", "pages billed")
    return dict(zip(names, map(int, found), strict=True))


def _rebuild(stack: Stack, before: dict[str, int]) -> None:
    """Rebuild the ledger in mid-batch; it tells what it found."""
    rebuilt = run_octavo("ledger", "rebuild", "--data", str(stack.data))
    assert rebuilt.returncode == 0, rebuilt.stderr
    rows = {name.strip(): int(count) for name, count in (line.rsplit(None, 1) for line in rebuilt.stdout.splitlines())}
    kept = rows["items succeeded"] - before["items succeeded"]
    assert 10 <= kept < REBUILT_ITEMS
    assert rows == before | {
        "items pending": REBUILT_ITEMS - kept,
        "items succeeded": before["items succeeded"] + kept,
        "pages billed": before["pages billed"] + kept,
    }


def _assert_prefect_shows_the_truth(stack: Stack, batch_id: str) -> None:
    """The run that was killed is Crashed, the one after it has completed."""

    def ended() -> list[dict[str, Any]] | None:
        runs = stack.flow_runs(batch_id)
        return runs if {run["state"]["type"] for run in runs} <= {"CRASHED", "COMPLETED"} else None

    first, *_, last = wait_for(ended, limit=60, what="the end of every flow run")
    assert (first["state"]["type"], last["state"]["type"]) == ("CRASHED", "COMPLETED")
