"""`/internal/prune`: what is old enough is removed from the ledger, on a worker's request."""

from datetime import timedelta

import pytest

from octavo.identifiers import RunId
from tests.unit.api.service import RUN, WORKER, Api, succeeded

pytestmark = pytest.mark.anyio


async def finished(api: Api) -> None:
    """Work a batch off in one run, which ends."""
    batch_id = await api.batch()
    api.ledger.runs.name(batch_id, api.ledger.runs.add(batch_id).run_no, RunId(RUN))
    api.ledger.runs.open(RunId(RUN), WORKER)
    api.finish_all(batch_id, succeeded())
    api.ledger.runs.end(RunId(RUN))


async def test_old_runs_of_expired_batches_go_and_are_counted(api: Api) -> None:
    api.clock.shift = -timedelta(days=20)
    await finished(api)
    api.clock.shift = timedelta()
    worker = api.worker()
    kept = await worker.post("/internal/prune", json={"keep_runs_seconds": 21 * 86400})
    assert kept.json() == {"runs": 0, "idempotency_keys": 0}
    gone = await worker.post("/internal/prune", json={"keep_runs_seconds": 19 * 86400})
    assert gone.json() == {"runs": 1, "idempotency_keys": 0}
    assert api.ledger.runs.get(RunId(RUN)) is None


async def test_nobody_but_a_worker_may_prune(api: Api) -> None:
    assert (await api.http.post("/internal/prune", json={"keep_runs_seconds": 0})).status_code == 401
