"""Retry in the Prefect UI: the failed items of the batch run again, in a new run of it."""

import secrets
from pathlib import Path
from typing import Any

from octavo.client.customer import CustomerClient
from tests.acceptance.stack import Batch, Stack, wait_for


def retry(stack: Stack, flow_run_id: str, *, force: bool) -> None:
    """Do what the UI's button does: the newer interface forces the state, the older one asks for it."""
    state = {"type": "SCHEDULED", "name": "AwaitingRetry", "message": "Retry from the UI"}
    answer = stack.prefect("POST", f"/flow_runs/{flow_run_id}/set_state", {"state": state, "force": force})
    assert answer["status"] == "ACCEPT"


def submit_damaged(client: CustomerClient, folder: Path) -> Batch:
    path = folder / "damaged.pdf"
    path.write_bytes(b"%PDF-1.7 " + secrets.token_bytes(64))
    staged = client.stage(path)
    client.upload(staged, path)
    made = client.submit([staged.file_id], engine="fast", idempotency_key=secrets.token_hex(8))
    return Batch(client, made["id"])


def state_of(stack: Stack, batch: Batch, run_no: int) -> dict[str, Any] | None:
    """Return the state of a batch's run once Prefect shows its end."""
    runs = stack.flow_runs(batch.batch_id)
    ended = ("COMPLETED", "FAILED", "CANCELLED", "CRASHED")
    return runs[run_no - 1]["state"] if len(runs) >= run_no and runs[run_no - 1]["state_type"] in ended else None


def test_retry_of_a_flow_run_runs_the_failed_items_of_its_batch_again(stack: Stack, tmp_path: Path) -> None:
    with stack.customer("retries") as client:
        batch = submit_damaged(client, tmp_path)
        assert batch.wait_until_ended()["status"] == "failed"
        state = wait_for(lambda: state_of(stack, batch, 1), limit=20, what="the end of the run")
        assert (state["type"], state["message"]) == ("FAILED", "0 ok, 1 failed: extraction_failed 1")
        before = batch.look()["items"][0]["attempts"]
        (run,) = stack.flow_runs(batch.batch_id)
        retry(stack, run["id"], force=True)
        wait_for(lambda: batch.look()["items"][0]["attempts"] == before + 1, limit=40, what="another attempt")
        assert batch.wait_until_ended()["status"] == "failed"
        wait_for(lambda: state_of(stack, batch, 2), limit=20, what="the end of the second run")
    first, second = stack.flow_runs(batch.batch_id)
    assert first["state"]["name"] == "Retried"
    assert first["state"]["message"] == "1 failed item runs again, in a new run of this batch"
    assert second["name"] == f"{run['name']} (part 2)"


def test_retry_of_a_run_without_failures_says_that_there_is_nothing_to_do(stack: Stack, tmp_path: Path) -> None:
    with stack.customer("retries") as client:
        batch = stack.submit_sleeping(client, tmp_path, items=1, seconds=0)
        assert batch.wait_until_ended()["status"] == "completed"
        wait_for(lambda: state_of(stack, batch, 1), limit=20, what="the end of the run")
        (run,) = stack.flow_runs(batch.batch_id)
        retry(stack, run["id"], force=False)
        found = stack.wait_for_flow_run(batch.batch_id, "NothingRetried")
        assert found["state"]["message"] == "no item of this batch has failed"
        assert batch.look()["status"] == "completed"
