"""Runs that send webhooks, made in a real Prefect where no worker takes them."""

import asyncio
import contextlib
from collections.abc import AsyncIterator

import pytest
from prefect.client.orchestration import PrefectClient
from prefect.client.schemas.filters import DeploymentFilter, DeploymentFilterId
from prefect.client.schemas.objects import FlowRun

from api.background.deliveries import Deliveries
from octavo.client.delivery_protocol import DeliveryClaim
from octavo.ledger.contract import NewWebhook
from octavo.settings import WebhookSettings
from octavo.webhooks.records import BATCH_EVENTS
from tests.integration.worker.orchestrated import Deployed
from tests.unit.api.service import Api

pytestmark = pytest.mark.anyio


class Sending:
    """The deliveries of an API, and the runs that were made for them."""

    def __init__(self, api: Api, prefect: PrefectClient, deployment: str) -> None:
        service, given = api.service, WebhookSettings(deployment=deployment)
        self.api = api
        self.prefect = prefect
        self.deployment = deployment
        self.deliveries = Deliveries(
            service.ledger, service.dispatcher, service.workers, service.webhook_messages, given
        )

    def ping(self) -> None:
        customer_id = self.api.customer.customer_id
        new = NewWebhook(customer_id=customer_id, url="https://receiver.example/", events=BATCH_EVENTS, most=100)
        self.api.ledger.webhooks.ping(customer_id, self.api.ledger.webhooks.add(new).webhook_id)

    async def runs(self) -> list[FlowRun]:
        deployment = await self.prefect.read_deployment_by_name(self.deployment)
        ours = DeploymentFilter(id=DeploymentFilterId(any_=[deployment.id]))
        return [run for run in await self.prefect.read_flow_runs(deployment_filter=ours) if "webhooks" in run.tags]

    async def wait_for_runs(self, count: int) -> list[FlowRun]:
        async with asyncio.timeout(60):
            while len(found := await self.runs()) < count:
                await asyncio.sleep(0.02)
        return found


@pytest.fixture
async def sending(api: Api, prefect: PrefectClient, deployed: Deployed) -> Sending:
    made = Sending(api, prefect, deployed.name)
    for run in await made.runs():
        await prefect.delete_flow_run(run.id)
    return made


@pytest.fixture
async def loop(sending: Sending) -> AsyncIterator[None]:
    running = asyncio.create_task(sending.deliveries.run())
    await asyncio.sleep(0)
    yield
    running.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await running


@pytest.mark.usefixtures("loop")
async def test_what_is_due_has_one_run_made_and_no_second(sending: Sending) -> None:
    rings = sending.api.service.workers.notifications
    sending.ping()
    (run,) = await sending.wait_for_runs(1)
    async with asyncio.timeout(60):
        while sending.api.service.workers.notifications == rings:
            await asyncio.sleep(0.01)
    for _ in range(5):
        sending.ping()
    assert [one.id for one in await sending.runs()] == [run.id]


@pytest.mark.usefixtures("loop")
async def test_a_run_that_has_ended_is_followed_by_another_when_something_is_due(sending: Sending) -> None:
    sending.ping()
    await sending.wait_for_runs(1)
    taken = await sending.deliveries.claim(DeliveryClaim(limit=10), 0)
    assert len(taken) == 1
    assert await sending.deliveries.claim(DeliveryClaim(limit=10), 0) == [], "the run ends"
    sending.ping()
    await sending.wait_for_runs(2)


async def test_a_run_that_waits_for_a_worker_is_not_made_twice(sending: Sending) -> None:
    sending.ping()
    for _ in range(3):
        sending.deliveries._alive_until = 0.0
        await sending.deliveries._look()
    assert len(await sending.runs()) == 1


async def test_a_run_that_has_gone_in_silence_is_made_again(sending: Sending) -> None:
    sending.ping()
    await sending.deliveries._look()
    (run,) = await sending.runs()
    await sending.prefect.delete_flow_run(run.id)
    sending.deliveries._alive_until = 0.0
    await sending.deliveries._look()
    (other,) = await sending.runs()
    assert other.id != run.id


async def test_nothing_due_is_no_run(sending: Sending) -> None:
    batch_id = await sending.api.batch()
    sending.api.ledger.batches.cancel(sending.api.customer.customer_id, batch_id)
    await sending.deliveries._look()
    assert await sending.runs() == []
