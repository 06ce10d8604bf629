"""Retention, deletion and cancel on a real stack: what the API says is what is on disk."""

import contextlib
import secrets
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx

from octavo.cli import admin
from octavo.client.customer import CustomerClient
from tests.acceptance.stack import Batch, Stack, wait_for

RETENTION_SECONDS = 6
A_MINUTE = 60.0


@contextlib.contextmanager
def forgetful(stack: Stack) -> Iterator[CustomerClient]:
    """Give a client of a customer whose files and results are kept for a few seconds."""
    name = f"forgetful-{secrets.token_hex(4)}"
    admin.create_customer(stack.data, name, {"retention_seconds": RETENTION_SECONDS})
    with stack.customer(name) as client:
        yield client


def customer_of(client: CustomerClient, file_id: str) -> str:
    return str(client._api.get(f"/v1/files/{file_id}").json()["customer_id"])


def on_disk(stack: Stack, *rooms: str) -> list[str]:
    """Return every file that storage keeps for customers, hidden ones too."""
    bucket = stack.data / "objects" / "octavo"
    return sorted(
        str(path.relative_to(bucket))
        for room in rooms or ("in", "results")
        for path in (bucket / room).rglob("*")
        if path.is_file() and ".check" not in path.parts
    )


def ask(batch: Batch, method: str, path: str) -> httpx.Response:
    return batch.client._api.request(method, path, follow_redirects=False)


def moment(text: str) -> datetime:
    return datetime.fromisoformat(text)


def test_a_batch_outlives_its_files_and_all_bytes_are_gone_within_a_minute_after(stack: Stack, tmp_path: Path) -> None:
    with forgetful(stack) as client:
        # Eight at a time: the last ones begin when their files' time has long been over.
        batch = stack.submit_sleeping(client, tmp_path, items=18, seconds=RETENTION_SECONDS)
        files_end = datetime.now(UTC) + timedelta(seconds=RETENTION_SECONDS)
        first = wait_for(
            lambda: next((item for item in batch.look()["items"] if item["status"] == "succeeded"), None),
            limit=60,
            what="the first item",
        )
        assert ask(batch, "GET", first["result_url"]).status_code == 302
        ends = moment(first["completed_at"]) + timedelta(seconds=RETENTION_SECONDS)

        def refused() -> httpx.Response | None:
            asked = datetime.now(UTC)
            answer = ask(batch, "GET", first["result_url"])
            assert asked < ends or answer.status_code == 410, "from the very second"
            return None if answer.status_code == 302 else answer

        gone = wait_for(refused, limit=30, what="the end of the first result")
        assert (gone.status_code, gone.json()["error"]) == (410, "result_expired")
        assert datetime.now(UTC) >= ends, "and not before"
        found = batch.wait_until_ended()
        assert found["counts"]["succeeded"] == 18, "every item has found its bytes"
        assert moment(found["completed_at"]) > files_end + timedelta(seconds=RETENTION_SECONDS)
        assert moment(found["expires_at"]) == moment(found["completed_at"]) + timedelta(seconds=RETENTION_SECONDS)
        over = moment(found["expires_at"]).timestamp()
        wait_for(lambda: time.time() > over, limit=30, what="the end of the batch's retention")
        customer_id = customer_of(client, first["file_id"])
        own = [f"in/{customer_id}", f"results/{customer_id}"]
        wait_for(lambda: not on_disk(stack, *own), limit=A_MINUTE, what="no byte left")
        assert time.time() - over < A_MINUTE
        after = batch.look()
        assert (after["status"], after["counts"]) == (found["status"], found["counts"]), "the batch is a record still"
        file_id = after["items"][0]["file_id"]
        assert ask(batch, "GET", f"/v1/files/{file_id}").json()["status"] == "expired"


def test_uploads_that_were_never_submitted_are_gone_too(stack: Stack, tmp_path: Path) -> None:
    path = tmp_path / "never.txt"
    path.write_text("never submitted")
    with forgetful(stack) as client:
        staged = client.stage(path)
        client.upload(staged, path)
        own = f"in/{customer_of(client, staged.file_id)}"
        assert any(staged.file_id in name for name in on_disk(stack, own))
        wait_for(lambda: not on_disk(stack, own), limit=A_MINUTE + RETENTION_SECONDS, what="no upload left")


def test_a_deleted_batch_and_its_deleted_files_leave_no_byte_on_disk(stack: Stack, tmp_path: Path) -> None:
    with stack.customer("deleting") as client:
        batch = stack.submit_sleeping(client, tmp_path, items=3, seconds=0)
        found = batch.wait_until_ended()
        stack.wait_for_flow_run(batch.batch_id, "Completed")
        customer_id = customer_of(client, found["items"][0]["file_id"])
        own = [f"in/{customer_id}", f"results/{customer_id}", f"ledger/batches/{batch.batch_id}"]
        wait_for(lambda: len(on_disk(stack, own[2])) >= 2, limit=20, what="the batch in the archive")
        assert len(on_disk(stack, own[0])) == 3
        assert len(on_disk(stack, own[1])) >= 6
        assert ask(batch, "DELETE", f"/v1/batches/{batch.batch_id}").status_code == 204
        for item in found["items"]:
            assert ask(batch, "DELETE", f"/v1/files/{item['file_id']}").status_code == 204
        assert on_disk(stack, *own) == []
        assert ask(batch, "GET", f"/v1/batches/{batch.batch_id}").status_code == 404


def expire(stack: Stack) -> dict[str, Any]:
    """Run the deployment and return its last state."""
    deployment = stack.prefect("GET", "/deployments/name/expire/expire")
    run = stack.prefect("POST", f"/deployments/{deployment['id']}/create_flow_run", {})

    def ended() -> dict[str, Any] | None:
        state: dict[str, Any] = stack.prefect("GET", f"/flow_runs/{run['id']}")["state"]
        return state if state["type"] in ("COMPLETED", "FAILED", "CRASHED", "CANCELLED") else None

    return wait_for(ended, limit=60, what="the end of the sweep")


def test_bytes_put_after_their_file_was_deleted_are_swept_by_the_flow(stack: Stack, tmp_path: Path) -> None:
    path = tmp_path / "late.txt"
    path.write_text("an upload that came late")
    with stack.customer("late") as client:
        batch = stack.submit_sleeping(client, tmp_path, items=2, seconds=0)
        batch.wait_until_ended()
        staged = client.stage(path)
        assert ask(batch, "DELETE", f"/v1/files/{staged.file_id}").status_code == 204
        client.upload(staged, path)
        assert any(staged.file_id in name for name in on_disk(stack, "in"))
        before = [name for name in on_disk(stack) if staged.file_id not in name]
        state = expire(stack)
        assert (state["type"], state["name"]) == ("COMPLETED", "Completed"), state["message"]
        assert int(state["message"].split()[0]) >= 1
        assert not any(staged.file_id in name for name in on_disk(stack, "in"))
        assert set(before) <= set(on_disk(stack)), "nothing else is touched"


def test_pending_items_of_a_large_batch_are_cancelled_before_those_in_work_end(stack: Stack, tmp_path: Path) -> None:
    with stack.customer("cancelling") as client:
        batch = stack.submit_sleeping(client, tmp_path, items=300, seconds=10)
        wait_for(lambda: batch.look()["counts"]["running"] >= 4, limit=40, what="items in work")
        assert ask(batch, "POST", f"/v1/batches/{batch.batch_id}/cancel").json()["status"] == "cancelling"
        found = wait_for(
            lambda: (seen := batch.look())["counts"]["pending"] == 0 and seen, limit=3, what="no item pending"
        )
        running = found["counts"]["running"]
        assert running >= 1, "what is in work goes on"
        end = batch.wait_until_ended()
        assert end["counts"]["succeeded"] >= running
        assert end["counts"]["succeeded"] + end["counts"]["cancelled"] == 300
        assert end["status"] == "completed", "cancelled items beside succeeded ones do not matter"
        states = {run["state"]["type"] for run in stack.flow_runs(batch.batch_id)}
        assert "CANCELLING" not in states
