"""What stops or dies in the middle of a batch: the batch comes to its end by itself."""

import os
import signal
from pathlib import Path
from typing import Any

import pytest

from tests.acceptance.stack import ENDED, Stack, wait_for


def assert_all_succeeded(found: dict[str, Any], items: int) -> None:
    assert found["status"] == "completed"
    assert found["counts"]["succeeded"] == items
    assert [item["status"] for item in found["items"]] == ["succeeded"] * items


def test_a_cancel_in_prefect_cancels_the_batch_and_running_items_finish(stack: Stack, tmp_path: Path) -> None:
    with stack.customer() as client:
        batch = stack.submit_sleeping(client, tmp_path, items=40, seconds=2)
        wait_for(lambda: batch.look()["counts"]["running"] >= 4, limit=30, what="items in work")
        (run,) = stack.flow_runs(batch.batch_id)
        # As the Cancel button of Prefect's UI does it.
        stack.prefect(
            "POST", f"/flow_runs/{run['id']}/set_state", {"state": {"type": "CANCELLING", "name": "Cancelling"}}
        )
        found = batch.wait_until_ended()
        counts = found["counts"]
        assert counts["cancelled"] > 0
        assert counts["succeeded"] >= 4  # what was in work came to its end
        assert counts["succeeded"] + counts["cancelled"] == 40
        assert {item["status"] for item in found["items"]} == {"succeeded", "cancelled"}
        cancelled = stack.wait_for_flow_run(batch.batch_id, "Cancelled")
        assert cancelled["id"] == run["id"]
        assert cancelled["state"]["message"] == f"{counts['succeeded']} ok, 0 failed, {counts['cancelled']} cancelled"
        assert len(stack.flow_runs(batch.batch_id)) == 1  # and nobody begins it anew


def test_a_cancel_over_the_api_ends_the_flow_run_too(stack: Stack, tmp_path: Path) -> None:
    with stack.customer() as client:
        batch = stack.submit_sleeping(client, tmp_path, items=40, seconds=1)
        wait_for(lambda: batch.look()["counts"]["running"] >= 4, limit=30, what="items in work")
        client._json("POST", f"/v1/batches/{batch.batch_id}/cancel")
        counts = batch.wait_until_ended()["counts"]
        assert counts["cancelled"] > 0
        assert counts["succeeded"] + counts["cancelled"] == 40

        def ended() -> str | None:
            (run,) = stack.flow_runs(batch.batch_id)
            return str(run["state"]["message"]) if run["state"]["type"] in ("COMPLETED", "CANCELLED") else None

        told = wait_for(ended, limit=30, what="the end of the flow run")
        assert told == f"{counts['succeeded']} ok, 0 failed, {counts['cancelled']} cancelled"


def test_a_worker_told_to_end_drains_and_the_next_one_finishes_the_batch(stack: Stack, tmp_path: Path) -> None:
    with stack.customer() as client:
        batch = stack.submit_sleeping(client, tmp_path, items=48, seconds=1)
        batch.wait_until_running()
        told = len(stack.terminal)
        stack.strike("worker", signal.SIGTERM)
        assert_all_succeeded(batch.wait_until_ended(), 48)
        first, *others = stack.flow_runs(batch.batch_id)
        assert first["state"]["name"] == "Drained"
        assert others
        assert others[-1]["name"].endswith("(part 2)")
        assert "worker   ended (exit code 0); restarting in" in stack.terminal[told:]
    stack.wait_until_healthy()


@pytest.mark.parametrize("part", ["worker", "api", "prefect", "storage"])
def test_a_part_that_is_killed_is_started_again_and_the_batch_finishes(stack: Stack, tmp_path: Path, part: str) -> None:
    with stack.customer() as client:
        batch = stack.submit_sleeping(client, tmp_path, items=24, seconds=1)
        batch.wait_until_running(succeeded=4)
        told = len(stack.terminal)
        stack.strike(part, signal.SIGKILL)
        assert_all_succeeded(batch.wait_until_ended(), 24)
        assert f"{part:<8} ended (signal SIGKILL); restarting in " in stack.terminal[told:]
        wait_for(lambda: f"{part:<8} ready after" in stack.terminal[told:], limit=40, what=f"{part} ready again")
    stack.wait_until_healthy()


def test_a_lost_run_is_shown_as_crashed_and_its_batch_goes_on_in_a_new_one(stack: Stack, tmp_path: Path) -> None:
    with stack.customer() as client:
        batch = stack.submit_sleeping(client, tmp_path, items=40, seconds=1)
        batch.wait_until_running()
        os.kill(stack.pid_of("worker"), signal.SIGKILL)
        wait_for(lambda: batch.look()["status"] in ENDED, limit=60, what="the end of the batch")
        stack.wait_until_prefect_shows_the_end(batch.batch_id)
        first, second = stack.flow_runs(batch.batch_id)
        assert (first["state"]["type"], second["state"]["name"]) == ("CRASHED", "Completed")
        assert "continues in a new run" in first["state"]["message"]
    stack.wait_until_healthy()
