"""What a customer has in work at once: never more than its cap, and what Prefect shows of it."""

import secrets
from pathlib import Path
from typing import Any

from tests.acceptance.stack import ENDED, Stack, run_octavo, wait_for

CAP = 8


def test_no_more_than_the_cap_is_in_work_over_all_batches_and_prefect_shows_it(stack: Stack, tmp_path: Path) -> None:
    with stack.customer() as client:
        batches = [stack.submit_sleeping(client, tmp_path, items=16, seconds=0.5) for _ in range(2)]
        (run, *_) = wait_for(lambda: stack.flow_runs(batches[0].batch_id), limit=20, what="a flow run")
        (limit_name,) = [tag for tag in run["tags"] if tag.startswith("customer:")]
        slots: list[int] = []

        def shown() -> Any:  # noqa: ANN401 - JSON
            return stack.prefect("GET", f"/v2/concurrency_limits/{limit_name}")

        def have_ended() -> bool:
            looks = [batch.look() for batch in batches]
            slots.append(shown()["active_slots"])
            return all(look["status"] in ENDED for look in looks)

        wait_for(have_ended, limit=60, what="the end of both batches")
        assert all(batch.look()["status"] == "completed" for batch in batches)

        in_work = [sum(running) for running in zip(*(batch.running for batch in batches), strict=True)]
        assert max(in_work) <= CAP
        assert max(in_work) > 1  # and it was not one by one either
        assert shown()["limit"] == CAP
        assert max(slots) <= CAP
        assert max(slots) > 1
        wait_for(lambda: shown()["active_slots"] == 0, limit=20, what="no slot taken any more")


def test_a_cap_that_is_raised_is_felt_by_the_batch_in_work(stack: Stack, tmp_path: Path) -> None:
    name = f"growing-{secrets.token_hex(4)}"
    with stack.customer(name) as client:
        batch = stack.submit_sleeping(client, tmp_path, items=64, seconds=1.5)
        wait_for(lambda: batch.look()["counts"]["running"] == CAP, limit=30, what="the cap reached")
        told = run_octavo("customers", "set", name, "--cap", "12", "--data", str(stack.data))
        assert told.returncode == 0, told.stderr
        assert told.stdout.splitlines()[1].split()[::3] == [name, "yes"]
        batch.wait_until_ended()
        assert max(batch.running) == 12
        listed = run_octavo("customers", "list", "--data", str(stack.data)).stdout
        assert [line.split()[2] for line in listed.splitlines() if line.startswith(name)] == ["12"]
        unknown = run_octavo("customers", "set", "nobody", "--cap", "9", "--data", str(stack.data))
        assert unknown.returncode == 1
        assert name in unknown.stderr
