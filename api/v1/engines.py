"""`/v1/engines`: what a batch may name as its engine."""

from fastapi import APIRouter
from pydantic import BaseModel, Field

from api.http.auth import CustomerDep
from api.http.dependencies import ServiceDep
from api.http.problems import problems
from octavo.errors import CustomerDisabled, InvalidApiKey

router = APIRouter(prefix="/v1/engines", tags=["v1"])


class EngineResource(BaseModel):
    """An engine."""

    name: str = Field(description="What `engine` of a batch takes.")
    version: str = Field(description="Changes whenever the same bytes may give another result.")
    licence: str = Field(description="SPDX name of the strictest licence among its parts.")
    kind: str = Field(description="`local` or `remote`: whether documents leave the workers.")
    languages: list[str] = Field(description="Languages of text recognition, ISO 639-2; none where it recognises none.")
    available: bool = Field(description="Whether it can work as this service is installed.")
    reason: str | None = Field(description="What is missing where it cannot.")


class EngineList(BaseModel):
    """All engines, by name."""

    object: str = "list"
    data: list[EngineResource]


@router.get(
    "",
    operation_id="list_engines_v1",
    summary="List Engines Endpoint",
    responses=problems(InvalidApiKey, CustomerDisabled),
)
def list_engines(customer: CustomerDep, service: ServiceDep) -> EngineList:
    """List the engines by name, also those that cannot work here, with what they lack."""
    return EngineList(
        data=[
            EngineResource(
                name=info.name,
                version=info.version,
                licence=info.licence,
                kind=info.kind,
                languages=list(info.languages),
                available=info.available,
                reason=info.reason,
            )
            for info in service.engines.describe()
        ]
    )
