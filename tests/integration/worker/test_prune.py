"""The flow `prune` on a real stack: what is old goes from Prefect, what is young or another's stays."""

from pathlib import Path
from typing import Any

from tests.acceptance.stack import Batch, Stack, wait_for


def prune(stack: Stack, **parameters: float) -> str:
    """Run the deployment and return its last word."""
    deployment = stack.prefect("GET", "/deployments/name/prune/prune")
    run = stack.prefect("POST", f"/deployments/{deployment['id']}/create_flow_run", {"parameters": parameters})

    def ended() -> dict[str, Any] | None:
        state: dict[str, Any] = stack.prefect("GET", f"/flow_runs/{run['id']}")["state"]
        return state if state["type"] in ("COMPLETED", "FAILED", "CRASHED", "CANCELLED") else None

    state = wait_for(ended, limit=60, what="the end of the pruning")
    assert state["type"] == "COMPLETED", state["message"]
    return str(state["message"])


class Traces:
    """What a batch has left in Prefect."""

    def __init__(self, stack: Stack, batch: Batch) -> None:
        self._stack = stack
        (self.flow_run,) = stack.flow_runs(batch.batch_id)
        self._key = batch.batch_id.replace("_", "-")

    def are_complete(self) -> bool:
        """Whether all has arrived, the flow run's last line, which comes last, too."""
        wanted = {"logs": {"flow_run_id": {"any_": [self.flow_run["id"]]}}}
        lines = [log["message"] for log in self._stack.prefect("POST", "/logs/filter", wanted)]
        return all(self.count().values()) and any(line.startswith("Finished in state") for line in lines)

    def count(self) -> dict[str, int]:
        """Return how many rows of each kind there are now."""
        named = {"any_": [self.flow_run["id"]]}
        logs = self._stack.prefect("POST", "/logs/filter", {"logs": {"flow_run_id": named}})
        artifacts = {"artifacts": {"flow_run_id": named}}
        key = {"artifacts": {"key": {"like_": f"%{self._key}"}}}
        return {
            "flow runs": self._stack.prefect("POST", "/flow_runs/count", {"flow_runs": {"id": named}}),
            "task runs": self._stack.prefect("POST", "/task_runs/count", {"flow_runs": {"id": named}}),
            "artifacts": self._stack.prefect("POST", "/artifacts/count", artifacts),
            "artifact collections": self._stack.prefect("POST", "/artifacts/latest/count", key),
            "logs": len(logs),
        }


def test_what_a_batch_has_left_in_prefect_goes_when_it_is_old_and_not_before(stack: Stack, tmp_path: Path) -> None:
    with stack.customer() as client:
        batch = stack.submit_sleeping(client, tmp_path, items=4, seconds=0)
        batch.wait_until_ended()
        stack.wait_for_flow_run(batch.batch_id, "Completed")
        traces = Traces(stack, batch)
        wait_for(traces.are_complete, limit=30, what="everything recorded")
        before = traces.count()
        prune(stack)
        assert traces.count() == before
        told = prune(stack, keep_runs_days=0)
        assert int(told.split()[0]) >= 1
        wait_for(lambda: not any(traces.count().values()), limit=30, what=f"nothing left of {before}")
        assert batch.look()["counts"]["succeeded"] == 4, "the batch itself is the ledger's"


def test_runs_that_sent_webhooks_go_when_they_are_old(stack: Stack) -> None:
    deployment = stack.prefect("GET", "/deployments/name/deliver-webhooks/deliver-webhooks")
    run = stack.prefect("POST", f"/deployments/{deployment['id']}/create_flow_run", {})

    def has_ended() -> bool:
        return bool(stack.prefect("GET", f"/flow_runs/{run['id']}")["state"]["type"] == "COMPLETED")

    wait_for(has_ended, limit=90, what="the end of a run that finds nothing to send")
    prune(stack)
    assert has_ended(), "it is young"
    prune(stack, keep_runs_days=0)
    left = {"flow_runs": {"id": {"any_": [run["id"]]}}}
    assert stack.prefect("POST", "/flow_runs/count", left) == 0


def test_flow_runs_of_others_are_not_touched(stack: Stack) -> None:
    flow = stack.prefect("POST", "/flows/", {"name": "somebody-elses"})
    run = stack.prefect("POST", "/flow_runs/", {"flow_id": flow["id"], "state": {"type": "COMPLETED"}})
    prune(stack, keep_runs_days=0)
    assert stack.prefect("GET", f"/flow_runs/{run['id']}")["state"]["type"] == "COMPLETED"
    stack.prefect("DELETE", f"/flow_runs/{run['id']}")


def test_a_batch_works_on_while_prefect_is_pruned(stack: Stack, tmp_path: Path) -> None:
    with stack.customer() as client:
        batch = stack.submit_sleeping(client, tmp_path, items=24, seconds=0.5)
        batch.wait_until_running()
        prune(stack, keep_runs_days=0)
        # Its flow run, once it has ended, may have been pruned as well: nothing is kept here.
        assert batch.wait_until_ended()["counts"]["succeeded"] == 24
