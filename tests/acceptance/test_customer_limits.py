"""What a customer has in progress at once: never more than its cap, and what Prefect shows of it."""

import os
import secrets
import signal
import time
from pathlib import Path

from tests.acceptance.stack import ENDED, Batch, Stack, run_octavo, wait_for

CAP = 8
SETTLED = 3
"""So many looks in a row, a tenth of a second and more apart, that show the same."""


class Shown:
    """The customer's global concurrency limit in Prefect, beside what the ledger has in work."""

    def __init__(self, stack: Stack, *batches: Batch) -> None:
        self._stack = stack
        self._batches = batches
        (run, *_) = wait_for(lambda: stack.flow_runs(batches[0].batch_id), limit=20, what="a flow run")
        (self._name,) = [tag for tag in run["tags"] if tag.startswith("customer:")]
        self.slots: list[int] = []
        self.in_work: list[int] = []

    def look(self) -> int:
        """Note how many slots are taken, and how many items are in work."""
        found = self._stack.prefect("GET", f"/v2/concurrency_limits/{self._name}")
        assert found["limit"] == CAP
        self.slots.append(found["active_slots"])
        # All batches in one answer: of two, a lane may have gone from the one to the other.
        listed = self._batches[0].client._api.get("/v1/batches").json()["data"]
        self.in_work.append(sum(batch["counts"]["running"] for batch in listed))
        return self.slots[-1]

    def are_equal_and_full(self) -> bool:
        """Whether Prefect and the ledger have both shown the cap for a while."""
        self.look()
        return self.slots[-SETTLED:] == self.in_work[-SETTLED:] == [CAP] * SETTLED

    def have_ended(self) -> bool:
        """Whether the batches have come to their ends."""
        self.look()
        return all(batch.look()["status"] in ENDED for batch in self._batches)


def test_prefect_s_slots_are_the_lanes_in_work_over_all_batches_and_never_more_than_the_cap(
    stack: Stack, tmp_path: Path
) -> None:
    with stack.customer() as client:
        batches = [stack.submit_sleeping(client, tmp_path, items=20, seconds=2) for _ in range(2)]
        shown = Shown(stack, *batches)
        wait_for(shown.are_equal_and_full, limit=40, what="as many slots as lanes")
        wait_for(shown.have_ended, limit=60, what="the end of both batches")
        assert all(batch.look()["status"] == "completed" for batch in batches)
        assert max(shown.in_work) == CAP
        assert max(shown.slots) == CAP
        wait_for(lambda: shown.look() == 0, limit=20, what="no slot taken any more")


def test_a_cap_that_is_raised_is_felt_by_the_batch_in_work(stack: Stack, tmp_path: Path) -> None:
    name = f"growing-{secrets.token_hex(4)}"
    with stack.customer(name) as client:
        began = time.monotonic()
        unknown = run_octavo("customers", "set", "nobody", "--cap", "9", "--data", str(stack.data))
        assert unknown.returncode == 1
        assert name in unknown.stderr
        # The batch outlasts the command that raises the cap, which takes as long as the one before.
        seconds = max(1.5, (time.monotonic() - began) / 2)
        batch = stack.submit_sleeping(client, tmp_path, items=64, seconds=round(seconds, 1))
        wait_for(lambda: batch.look()["counts"]["running"] == CAP, limit=30, what="the cap reached")
        told = run_octavo("customers", "set", name, "--cap", "12", "--data", str(stack.data))
        assert told.returncode == 0, told.stderr
        assert told.stdout.splitlines()[1].split()[:4:3] == [name, "yes"]
        batch.wait_until_ended()
        assert max(batch.running) == 12
        listed = run_octavo("customers", "list", "--data", str(stack.data)).stdout
        assert [line.split()[2] for line in listed.splitlines() if line.startswith(name)] == ["12"]


def test_the_slots_of_a_killed_worker_come_back(stack: Stack, tmp_path: Path) -> None:
    with stack.customer() as client:
        batch = stack.submit_sleeping(client, tmp_path, items=24, seconds=3)
        shown = Shown(stack, batch)
        wait_for(shown.are_equal_and_full, limit=40, what="as many slots as lanes")
        os.kill(stack.pid_of("worker"), signal.SIGKILL)
        # Well within the minute after which Prefect would take them back by itself.
        wait_for(lambda: shown.look() == 0 or shown.have_ended(), limit=40, what="the dead worker's slots given back")
        wait_for(shown.have_ended, limit=60, what="the end of the batch")
        assert batch.look()["counts"]["succeeded"] == 24
        wait_for(lambda: shown.look() == 0, limit=20, what="no slot taken any more")
        assert max(shown.slots) <= CAP
    stack.wait_until_healthy()
