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

    name: str = Field(description="The value for `engine` of a batch.")
    version: str = Field(description="Changes whenever the same bytes may give a different result.")
    licence: str = Field(description="SPDX name of the strictest licence among its parts.")
    kind: str = Field(description="`local` or `remote`: whether documents leave the workers.")
    languages: list[str] = Field(
        description="Languages of text recognition, ISO 639-2; empty if it does not recognise text."
    )
    available: bool = Field(description="Whether it can work in this installation.")
    reason: str | None = Field(description="What is missing if it cannot.")


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
    """List the engines by name, including those that cannot work here and what they lack."""
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
