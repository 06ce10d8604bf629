"""What flow runs and limits are called in the orchestrator."""

from dataclasses import replace

import pytest

from api.dispatch import limit_name, run_name
from tests.unit.api.service import Api

pytestmark = pytest.mark.anyio


async def test_a_run_is_called_by_customer_files_and_batch(api: Api) -> None:
    batch = api.ledger.batch(api.customer.customer_id, await api.batch(3))
    assert run_name(batch, api.customer, 1) == f"acme: 3 files, {batch.batch_id}"
    assert run_name(batch, api.customer, 2) == f"acme: 3 files, {batch.batch_id} (part 2)"
    assert run_name(replace(batch, total_items=1), api.customer, 1) == f"acme: 1 file, {batch.batch_id}"
    assert limit_name(api.customer.customer_id) == f"customer:{api.customer.customer_id}"
