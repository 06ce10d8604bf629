"""A customer's limits at a real Prefect: the global one always, the tag limit only while an operator asks for it."""

from pathlib import Path

import pytest
from prefect.client.orchestration import PrefectClient
from prefect.exceptions import ObjectNotFound

from api.orchestrator.limits import NOTE, limit_name
from octavo.identifiers import CustomerId
from octavo.ledger.duckdb import memory_ledger
from tests.acceptance.stack import ENDED, new_stack, wait_for
from tests.integration.worker.orchestrated import Deployed, orchestrated
from tests.integration.worker.test_dispatch import made
from tests.unit.api.service import Api

pytestmark = pytest.mark.anyio
CAP = 8


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


def test_a_batch_completes_with_the_tag_limit_on(tmp_path: Path) -> None:
    stack = new_stack(tmp_path / "data", OCTAVO_PREFECT__TAG_LIMITS="true", OCTAVO_WORKER__PROCESSES="1")
    stack.start()
    try:
        with stack.customer() as client:
            batch = stack.submit_sleeping(client, tmp_path, items=16, seconds=0.6)
            (run,) = wait_for(lambda: stack.flow_runs(batch.batch_id), limit=20, what="a flow run")
            (tag,) = [tag for tag in run["tags"] if tag.startswith("customer:")]
            taken: list[int] = []

            def has_ended() -> bool:
                limit = stack.prefect("GET", f"/concurrency_limits/tag/{tag}")
                assert limit["concurrency_limit"] == CAP
                taken.append(len(limit["active_slots"]))
                return batch.look()["status"] in ENDED

            wait_for(has_ended, limit=60, what="the end of the batch")
            assert batch.look()["counts"]["succeeded"] == 16
            assert 1 <= max(taken) <= CAP
            assert 1 <= max(batch.running) <= CAP
    finally:
        stack.stop()
