"""Logs that an operator can read: while all goes well there is no line that warns, in any log of the stack."""

import re
from collections.abc import Iterator, Mapping
from pathlib import Path

import httpx
import pytest

from octavo.directory import DataDirectory
from tests.acceptance.stack import Batch, Stack, wait_for

ALARM = re.compile(r"\b(WARN(ING)?|ERROR|CRITICAL)\b|^Traceback ", re.MULTILINE)


def sizes(stack: Stack) -> dict[Path, int]:
    return {path: path.stat().st_size for path in DataDirectory(stack.data).logs.glob("*.log")}


def ask(batch: Batch, method: str, below: str = "") -> httpx.Response:
    """Ask something of the API that the command line's client has no word for."""
    return batch.client._api.request(method, f"/v1/batches/{batch.batch_id}{below}")


def alarms(before: Mapping[Path, int], stack: Stack) -> Iterator[str]:
    """Yield each line of warning that has been written since."""
    for path in sizes(stack):
        for line in path.read_bytes()[before.get(path, 0) :].decode(errors="replace").splitlines():
            if ALARM.search(line):
                yield f"{path.name}: {line[:200]}"


@pytest.mark.timeout(900)
def test_nothing_warns_in_a_batch_a_cancel_a_deletion_and_a_restart(stack: Stack, tmp_path: Path) -> None:
    before = sizes(stack)
    with stack.customer() as client:
        done = stack.submit_sleeping(client, tmp_path, items=4, seconds=0.1)
        assert done.wait_until_ended()["status"] == "completed"
        # At once, while its run is still to tell Prefect how it ended.
        assert ask(done, "DELETE").status_code == 204
        cancelled = stack.submit_sleeping(client, tmp_path, items=40, seconds=2.0)
        cancelled.wait_until_running()
        assert ask(cancelled, "POST", "/cancel").status_code < 300
        assert cancelled.wait_until_ended()["counts"]["cancelled"] > 0
        for batch in (done, cancelled):
            stack.wait_until_prefect_shows_the_end(batch.batch_id)
        waiting = stack.submit_sleeping(client, tmp_path, items=12, seconds=2.0)
        waiting.wait_until_running()
        assert stack.stop() == 0
        stack.start()
        assert waiting.wait_until_ended()["status"] == "completed"
    wait_for(lambda: not stack.undone(waiting.batch_id), limit=60, what="the end of its runs in Prefect")
    assert list(alarms(before, stack)) == []
