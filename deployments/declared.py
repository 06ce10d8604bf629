"""What `prefect.yaml` declares, as records; a field that is not known here is refused, so that none is ignored."""

import importlib
from pathlib import Path
from typing import Any

import yaml
from prefect.client.schemas.actions import DeploymentScheduleCreate
from prefect.client.schemas.schedules import CronSchedule
from prefect.flows import Flow
from prefect.utilities.callables import parameter_schema
from pydantic import BaseModel, ConfigDict, Field

PREFECT_YAML = Path(__file__).resolve().parent.parent / "prefect.yaml"


class _Declared(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class DeclaredPool(_Declared):
    """The work pool and queue that a deployment's runs wait in."""

    name: str
    work_queue_name: str = "default"
    job_variables: dict[str, Any] = {}


class DeclaredSchedule(_Declared):
    """A schedule; its slug tells it from the others of its deployment."""

    cron: str
    timezone: str = "UTC"
    slug: str

    def to_prefect(self) -> DeploymentScheduleCreate:
        """Return the request that creates it."""
        return DeploymentScheduleCreate(schedule=CronSchedule(cron=self.cron, timezone=self.timezone), slug=self.slug)


class DeclaredDeployment(_Declared):
    """A deployment of one flow."""

    name: str
    version: str
    description: str
    entrypoint: str
    tags: list[str] = []
    parameters: dict[str, Any] = {}
    schedules: list[DeclaredSchedule] = []
    work_pool: DeclaredPool

    def load_flow(self) -> Flow[..., Any]:
        """Import the flow by its dotted name."""
        module, _, name = self.entrypoint.rpartition(".")
        flow: Flow[..., Any] = getattr(importlib.import_module(module), name)
        return flow

    def owned(self) -> dict[str, Any]:
        """Return the fields that every start renews; all others belong to people once the deployment exists."""
        return {
            "version": self.version,
            "description": self.description,
            "entrypoint": self.entrypoint,
            "parameter_openapi_schema": parameter_schema(self.load_flow()).model_dump(exclude_unset=True),
        }


class _PrefectYaml(_Declared):
    name: str
    prefect_version: str = Field(alias="prefect-version")
    definitions: dict[str, Any]
    pull: list[Any]
    deployments: list[DeclaredDeployment]


def read_declared() -> list[DeclaredDeployment]:
    """Return the deployments that `prefect.yaml` declares."""
    return _PrefectYaml.model_validate(yaml.safe_load(PREFECT_YAML.read_text(encoding="utf-8"))).deployments
