"""A customer's limits at a real Prefect: the global one always, the tag limit only while an operator asks for it."""

from pathlib import Path

import pytest
from prefect.client.orchestration import PrefectClient
from prefect.exceptions import ObjectNotFound

from api.orchestrator.limits import NOTE, limit_name
from octavo.identifiers import CustomerId
from octavo.ledger.duckdb import memory_ledger
from tests.integration.worker.orchestrated import Deployed, orchestrated
from tests.integration.worker.test_dispatch import made
from tests.unit.api.service import Api

pytestmark = pytest.mark.anyio


async def tag_limit(prefect: PrefectClient, customer_id: CustomerId) -> int | None:
    try:
        return (await prefect.read_concurrency_limit_by_tag(limit_name(customer_id))).concurrency_limit
    except ObjectNotFound:
        return None


async def dispatch(api: Api, cap: int) -> None:
    api.ledger.accounts.update_customer(api.customer.customer_id, item_cap=cap)
    await made(api, await api.batch())


async def test_the_customer_s_limit_is_its_cap_and_follows_it(api: Api, prefect: PrefectClient) -> None:
    for cap in (3, 5):
        await dispatch(api, cap)
        limit = await prefect.read_global_concurrency_limit_by_name(limit_name(api.customer.customer_id))
        assert (limit.limit, limit.active, limit.active_slots) == (cap, True, 0)
    assert await tag_limit(prefect, api.customer.customer_id) is None


async def test_a_tag_limit_that_is_asked_for_follows_the_cap_and_goes_when_it_is_not_asked_for_any_more(
    prefect: PrefectClient, deployed: Deployed, tmp_path: Path
) -> None:
    ledger = memory_ledger()
    async with orchestrated(prefect, deployed, tmp_path, ledger=ledger, tag_limits=True) as api:
        customer_id = api.customer.customer_id
        for cap in (3, 5):
            await dispatch(api, cap)
            assert await tag_limit(prefect, customer_id) == cap
    async with orchestrated(prefect, deployed, tmp_path, ledger=ledger, tag_limits=False) as api:
        await dispatch(api, 5)
        assert await tag_limit(prefect, customer_id) is None
        assert await prefect.read_variable_by_name(f"{NOTE}{customer_id}") is None


async def test_a_tag_limit_that_an_operator_has_set_by_hand_stays(api: Api, prefect: PrefectClient) -> None:
    customer_id = api.customer.customer_id
    await prefect.create_concurrency_limit(limit_name(customer_id), 2)
    try:
        await dispatch(api, 5)
        assert await tag_limit(prefect, customer_id) == 2
    finally:
        await prefect.delete_concurrency_limit_by_tag(limit_name(customer_id))
