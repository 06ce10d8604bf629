"""The stack whose Prefect server these tests use (the acceptance tests share it), and an API that speaks to it."""

import asyncio
import secrets
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from uuid import UUID

import pytest
from prefect.client.orchestration import PrefectClient
from prefect.client.schemas.actions import WorkPoolCreate
from prefect.client.schemas.filters import DeploymentFilter, DeploymentFilterId
from prefect.settings import PREFECT_API_AUTH_STRING, PREFECT_API_URL, temporary_settings

from deployments.worker import OctavoWorker
from flows.extract_batch import extract_batch
from tests.acceptance.stack import Stack, session_stack
from tests.integration.worker.orchestrated import Deployed, orchestrated
from tests.unit.api.service import Api


@pytest.fixture(scope="session")
def stack(request: pytest.FixtureRequest) -> Stack:
    return session_stack(request.config)


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture(scope="module")
def deployed(stack: Stack) -> Iterator[Deployed]:
    access, name = stack.prefect_access, f"octavo-test-{secrets.token_hex(4)}"

    async def deploy() -> UUID:
        async with stack.prefect_client() as client:
            template = OctavoWorker.get_default_base_job_template()
            await client.create_work_pool(WorkPoolCreate(name=name, type=OctavoWorker.type, base_job_template=template))
            flow_id = await client.create_flow_from_name(extract_batch.name)
            return await client.create_deployment(flow_id=flow_id, name=name, work_pool_name=name)

    async def take_away(deployment_id: UUID) -> None:
        async with stack.prefect_client() as client:
            ours = DeploymentFilter(id=DeploymentFilterId(any_=[deployment_id]))
            for flow_run in await client.read_flow_runs(deployment_filter=ours):
                await client.delete_flow_run(flow_run.id)
            await client.delete_deployment(deployment_id)
            await client.delete_work_pool(name)

    deployment_id = asyncio.run(deploy())
    yield Deployed(access.api_url, access.login, f"{extract_batch.name}/{name}")
    asyncio.run(take_away(deployment_id))


@pytest.fixture
async def prefect(anyio_backend: str, deployed: Deployed) -> AsyncIterator[PrefectClient]:
    with temporary_settings({PREFECT_API_URL: deployed.prefect_url, PREFECT_API_AUTH_STRING: deployed.login}):
        async with PrefectClient(deployed.prefect_url, auth_string=deployed.login) as client:
            yield client


@pytest.fixture
async def api(prefect: PrefectClient, deployed: Deployed, tmp_path: Path) -> AsyncIterator[Api]:
    """Yield an API whose dispatcher makes runs of that deployment; its clock can be moved."""
    async with orchestrated(prefect, deployed, tmp_path) as made:
        yield made
