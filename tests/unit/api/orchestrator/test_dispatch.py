"""The dispatcher: what runs are called, and what it does without an orchestrator."""

import asyncio
import contextlib
import logging
from dataclasses import replace

import pytest
from prefect.settings import PREFECT_API_URL, temporary_settings

from api.orchestrator.dispatch import run_name
from api.orchestrator.limits import limit_name
from tests.unit.api.service import Api

pytestmark = pytest.mark.anyio


async def test_a_run_is_called_by_customer_files_and_batch(api: Api) -> None:
    batch = api.ledger.batches.get(api.customer.customer_id, await api.batch(3))
    assert run_name(batch, api.customer, 1) == f"acme: 3 files, {batch.batch_id}"
    assert run_name(batch, api.customer, 2) == f"acme: 3 files, {batch.batch_id} (part 2)"
    assert run_name(replace(batch, total_items=1), api.customer, 1) == f"acme: 1 file, {batch.batch_id}"
    assert limit_name(api.customer.customer_id) == f"customer:{api.customer.customer_id}"


async def test_without_an_address_no_server_is_started_in_this_process(
    api: Api, caplog: pytest.LogCaptureFixture
) -> None:
    async def told() -> None:
        while "set PREFECT_API_URL" not in caplog.text:
            await asyncio.sleep(0.005)

    caplog.set_level(logging.INFO)
    with temporary_settings(restore_defaults={PREFECT_API_URL}):
        loop = asyncio.create_task(api.service.dispatcher.run())
        await asyncio.sleep(0)
        batch_id = await api.batch()
        await asyncio.wait_for(told(), 10)
        assert api.service.dispatcher.is_starting(batch_id), "it goes on trying"
        loop.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await loop
