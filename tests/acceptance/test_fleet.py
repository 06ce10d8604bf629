"""A fleet: workers in processes of their own share a batch, come, leave, die and are suspended for a while.

Prefect runs on PostgreSQL and Redis.
"""

import os
import secrets
import signal
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from octavo.client.customer import CustomerClient
from octavo.ledger.duckdb import DuckdbLedger
from tests.acceptance.fleet import Fleet, Process, running_fleet
from tests.acceptance.stack import Batch, run_octavo, wait_for
from tests.processes import freeze

CUSTOMER = "shared"
CAP = 16
SLOTS = 6
"""Two workers leave places under the cap, three have more slots than there are places."""
ITEMS = 84
FILES = 42
SECONDS = 2.5
STOPPED_ITEMS = 16
LATER_ITEMS = 4


@pytest.fixture(scope="module")
def fleet() -> Iterator[Fleet]:
    with running_fleet() as found:
        yield found


def submit(fleet: Fleet, client: CustomerClient, folder: Path, seconds: float) -> Batch:
    """Submit the batch; each file stands in it several times."""
    file_ids = []
    for number in range(FILES):
        path = folder / f"page-{number}.txt"
        path.write_bytes(secrets.token_bytes(64))
        staged = client.stage(path)
        client.upload(staged, path)
        file_ids.append(staged.file_id)
    made = client.submit(file_ids * (ITEMS // FILES), engine=f"sleep:{seconds:.1f}", idempotency_key="shared")
    return Batch(client, made["id"])


def all_items(client: CustomerClient, batch_id: str) -> list[dict[str, Any]]:
    """Return every item of an ended batch, as it ended."""
    seen: dict[str, dict[str, Any]] = {}
    for page in client.follow(batch_id):
        seen.update({item["id"]: item for item in page["items"]})
    return list(seen.values())


def run_of(fleet: Fleet, batch: Batch, worker: Process) -> dict[str, Any] | None:
    """Return the flow run of a batch that a worker has taken."""
    runs = fleet.stack.flow_runs(batch.batch_id)
    return next((run for run in runs if run["infrastructure_pid"] == str(worker.pid)), None)


def state_of(fleet: Fleet, batch: Batch, worker: Process) -> str | None:
    run = run_of(fleet, batch, worker)
    return None if run is None else str(run["state"]["name"])


def done_by(fleet: Fleet, batch: Batch, worker: Process) -> int:
    """Return how many slices a worker has done, as Prefect has recorded them; here a slice is one item."""
    run = run_of(fleet, batch, worker)
    assert run is not None
    wanted = {
        "flow_runs": {"id": {"any_": [run["id"]]}},
        "task_runs": {"state": {"type": {"any_": ["COMPLETED"]}}},
    }
    return int(fleet.stack.prefect("POST", "/task_runs/count", wanted))


def schedule_every_minute(fleet: Fleet, name: str) -> None:
    """Change a deployment's schedule as a person does."""
    (found,) = fleet.stack.prefect("POST", "/deployments/filter", {"deployments": {"name": {"any_": [name]}}})
    (schedule,) = found["schedules"]
    body = {"schedule": {"cron": "* * * * *", "timezone": "UTC"}}
    fleet.stack.prefect("PATCH", f"/deployments/{found['id']}/schedules/{schedule['id']}", body)


def scheduled_ends(fleet: Fleet, name: str) -> list[str]:
    """Return the last states of the scheduled runs of a deployment that have ended."""
    wanted = {
        "deployments": {"name": {"any_": [name]}},
        "flow_runs": {"state": {"type": {"any_": ["COMPLETED", "FAILED", "CRASHED", "CANCELLED"]}}},
    }
    runs = fleet.stack.prefect("POST", "/flow_runs/filter", wanted)
    return [run["state"]["name"] for run in runs if run["auto_scheduled"]]


@pytest.mark.timeout(900)  # ten processes start; on a busy machine that alone takes a minute
def test_workers_share_a_batch_and_it_ends_well_whoever_joins_leaves_or_dies(fleet: Fleet, tmp_path: Path) -> None:
    began = time.monotonic()
    stays, drains = fleet.worker("stays", slots=SLOTS), fleet.worker("drains", slots=SLOTS)
    key = fleet.stack.new_key(CUSTOMER)
    told = run_octavo("customers", "set", CUSTOMER, "--cap", str(CAP), "--data", str(fleet.stack.data))
    assert told.returncode == 0, told.stderr
    wait_for(lambda: len(fleet.workers()) == 2, limit=60, what="two workers")
    # Told by the process of the background services, run by a worker: long before the batch has ended.
    schedule_every_minute(fleet, "prune")
    # The batch outlasts the start of a third worker, however busy the machine is.
    seconds = max(SECONDS, (time.monotonic() - began) / 2)
    with CustomerClient(fleet.stack.url, key) as client:
        batch = submit(fleet, client, tmp_path, seconds)
        dies = fleet.worker("dies", slots=SLOTS, by_prefect=True)

        def works(worker: Process) -> bool:
            batch.look()
            return state_of(fleet, batch, worker) == "Running"

        wait_for(lambda: works(stays) and works(drains), limit=40, what="both workers at work")
        # Where every server of Prefect sees them.
        wait_for(lambda: fleet.redis.keys("prefect:concurrency:lease:*"), limit=20, what="slots leased in Redis")
        wait_for(lambda: works(dies), limit=60, what="a worker that joins in mid-batch at work")
        wait_for(lambda: batch.look()["counts"]["running"] == CAP, limit=20, what="all places of the cap taken")

        done = batch.succeeded()
        assert drains.end(signal.SIGTERM) == 0
        assert state_of(fleet, batch, drains) == "Drained"
        assert batch.succeeded() > done
        assert [item["attempts"] for item in batch.look()["items"] if item["attempts"] > 1] == []

        wait_for(lambda: done_by(fleet, batch, dies) > 0, limit=40, what="items done by the worker that dies")
        dies.end(signal.SIGKILL)
        wait_for(lambda: state_of(fleet, batch, dies) == "Crashed", limit=30, what="the dead worker's run Crashed")
        ended = batch.wait_until_ended()
        assert ended["status"] == "completed"
        items = all_items(client, batch.batch_id)
        assert len(items) == ended["counts"]["succeeded"] == ITEMS
        again = [item["attempts"] for item in items if item["attempts"] != 1]
        assert set(again) <= {2}
        assert len(again) <= SLOTS, "only what was in work at the dead worker was begun again"
    assert CAP - 2 <= max(batch.running) <= CAP
    last = fleet.stack.wait_for_flow_run(batch.batch_id, "Completed")
    assert last["state"]["message"] == f"{ITEMS} ok, 0 failed"
    assert last["infrastructure_pid"] == str(stays.pid)
    states = sorted(run["state"]["name"] for run in fleet.stack.flow_runs(batch.batch_id))
    # The last worker may have had nothing left while the dead one's leases were still thought good.
    own = [state for state in states if state != "HandedOn"]
    assert own == ["Completed", "Crashed", "Drained"], "one run for each worker, and none is late for ever"
    assert len(states) <= len(own) + 1
    others = (stays, drains)
    wait_for(
        lambda: all(done_by(fleet, batch, worker) > 0 for worker in others),
        limit=30,
        what="items done by each of the others",
    )
    wait_for(lambda: scheduled_ends(fleet, "prune"), limit=75, what="a scheduled run of prune that has ended")
    assert set(scheduled_ends(fleet, "prune")) == {"Completed"}
    assert stays.end(signal.SIGTERM) == 0


def everything(batch: Batch) -> tuple[list[dict[str, Any]], list[bytes]]:
    """Return all that a customer sees of the batch: its items and their results."""
    items = sorted(batch.look()["items"], key=lambda item: int(item["position"]))
    return items, [batch.client.result(batch.batch_id, item["id"]) for item in items]


@pytest.mark.timeout(900)
def test_a_worker_that_was_stopped_overwrites_nothing_and_works_on(fleet: Fleet, tmp_path: Path) -> None:
    first, second = tmp_path / "first", tmp_path / "second"
    first.mkdir()
    second.mkdir()
    stopped = fleet.worker("stopped", slots=SLOTS)
    wait_for(lambda: fleet.workers() == ["stopped"], limit=60, what="the worker that is stopped")
    with fleet.stack.customer(CUSTOMER) as client:
        batch = fleet.stack.submit_sleeping(client, first, items=STOPPED_ITEMS, seconds=3)
        wait_for(lambda: batch.look()["counts"]["running"] >= 4, limit=40, what="items in work")
        freeze(stopped.pid)
        try:
            # It is stopped for longer than its leases hold: its items go elsewhere.
            other = fleet.worker("other", slots=SLOTS)
            found = batch.wait_until_ended()
            assert found["counts"]["succeeded"] == STOPPED_ITEMS
            before = everything(batch)
            assert other.end() == 0
        finally:
            os.kill(stopped.pid, signal.SIGCONT)
        assert max(item["attempts"] for item in before[0]) == 2, "what was in work has been begun again"
        log = stopped.log
        wait_for(lambda: "came too late and were refused" in log.read_text(), limit=40, what="a late outcome")
        # The one that was stopped is the only worker now, and works on.
        again = fleet.stack.submit_sleeping(client, second, items=LATER_ITEMS, seconds=3)
        assert again.wait_until_ended()["counts"]["succeeded"] == LATER_ITEMS
        assert everything(batch) == before
    assert stopped.end() == 0


def test_every_item_was_billed_once(fleet: Fleet) -> None:
    assert fleet.stack.stop() == 0
    ledger = DuckdbLedger(fleet.stack.data / "ledger.duckdb")
    try:
        (customer,) = ledger.accounts.customers()
        # Of one page each, those that a late worker reported a second time too.
        assert ledger.billing.pages_used(customer.customer_id) == ITEMS + STOPPED_ITEMS + LATER_ITEMS
        assert ledger.work.workers() == []
        assert ledger.work.held_slots() == []
        assert ledger.runs.starting() == []
    finally:
        ledger.close()
