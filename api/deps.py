"""What routes are given: the parts of the service, and who is asking."""

from dataclasses import dataclass
from typing import Annotated, cast

from fastapi import Depends, Request

from api.archive import Archive
from api.dispatch import Dispatcher
from api.expiry import Retention
from api.lanes import Lanes
from api.presence import Presence
from octavo.engines.registry import EngineRegistry
from octavo.ledger.contract import Ledger
from octavo.objects.contract import ObjectStore
from octavo.objects.s3 import S3Settings
from octavo.settings import Settings


@dataclass(frozen=True, slots=True, kw_only=True)
class Service:
    """The parts of one API process."""

    settings: Settings
    ledger: Ledger
    objects: ObjectStore
    storage: S3Settings | None
    """How workers reach storage; None where the store lives in this process (tests)."""
    engines: EngineRegistry
    dispatcher: Dispatcher
    lanes: Lanes
    presence: Presence
    archive: Archive
    retention: Retention
    admin_token: str
    worker_token: str


def service(request: Request) -> Service:
    """Return the parts of this app."""
    return cast(Service, request.app.state.service)


ServiceDep = Annotated[Service, Depends(service)]
