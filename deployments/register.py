"""Registers work pool and deployments with Prefect, from `prefect.yaml`; safe to repeat.

`octavo up` calls it before its worker starts; a fleet may call `prefect deploy --all` instead.
"""

import contextlib
import importlib
from pathlib import Path
from typing import Any

import yaml
from prefect.client.orchestration import PrefectClient
from prefect.client.schemas.actions import DeploymentScheduleCreate, WorkPoolCreate
from prefect.client.schemas.schedules import CronSchedule
from prefect.exceptions import ObjectAlreadyExists
from prefect.flows import Flow
from prefect.utilities.callables import parameter_schema
from pydantic import BaseModel

from deployments.worker import OctavoWorker

PREFECT_YAML = Path(__file__).resolve().parent.parent / "prefect.yaml"


class _Pool(BaseModel):
    name: str
    work_queue_name: str = "default"
    job_variables: dict[str, Any] = {}


class _Schedule(BaseModel):
    cron: str
    timezone: str = "UTC"
    slug: str

    def order(self) -> DeploymentScheduleCreate:
        """Return what Prefect is asked for."""
        return DeploymentScheduleCreate(schedule=CronSchedule(cron=self.cron, timezone=self.timezone), slug=self.slug)


class _Deployment(BaseModel):
    name: str
    description: str | None = None
    entrypoint: str
    tags: list[str] = []
    parameters: dict[str, Any] = {}
    schedules: list[_Schedule] = []
    work_pool: _Pool


class _PrefectYaml(BaseModel):
    deployments: list[_Deployment]


def read_deployments() -> list[_Deployment]:
    """Return what `prefect.yaml` declares."""
    return _PrefectYaml.model_validate(yaml.safe_load(PREFECT_YAML.read_text())).deployments


def load_flow(entrypoint: str) -> Flow[..., Any]:
    """Import a flow by its dotted name."""
    module, _, name = entrypoint.rpartition(".")
    flow: Flow[..., Any] = getattr(importlib.import_module(module), name)
    return flow


async def register(client: PrefectClient) -> list[str]:
    """Create or update pools and deployments; return the deployments' full names."""
    names = []
    for wanted in read_deployments():
        with contextlib.suppress(ObjectAlreadyExists):
            await client.create_work_pool(
                WorkPoolCreate(
                    name=wanted.work_pool.name,
                    type=OctavoWorker.type,
                    base_job_template=OctavoWorker.get_default_base_job_template(),
                )
            )
        flow = load_flow(wanted.entrypoint)
        flow_id = await client.create_flow_from_name(flow.name)
        await client.create_deployment(
            flow_id=flow_id,
            name=wanted.name,
            description=wanted.description,
            entrypoint=wanted.entrypoint,
            tags=wanted.tags,
            parameters=wanted.parameters,
            schedules=[schedule.order() for schedule in wanted.schedules],
            parameter_openapi_schema=parameter_schema(flow).model_dump(exclude_unset=True),
            work_pool_name=wanted.work_pool.name,
            work_queue_name=wanted.work_pool.work_queue_name,
            job_variables=wanted.work_pool.job_variables,
        )
        names.append(f"{flow.name}/{wanted.name}")
    return names
