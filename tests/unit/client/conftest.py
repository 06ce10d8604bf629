"""A whole API behind a socket, its parts in memory; Prefect's address is one where nobody listens."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from prefect.settings import PREFECT_API_URL, temporary_settings

from api.app import create_app
from octavo.ledger.memory import MemoryLedger
from octavo.objects.memory import MemoryObjects
from tests.unit.api.service import add_customer, make_service, settings
from tests.unit.api.serving import closed_port, served
from tests.unit.client.stack import Stack


@pytest.fixture
def stack(tmp_path: Path) -> Iterator[Stack]:
    ledger, objects = MemoryLedger(), MemoryObjects()
    service = make_service(settings(tmp_path), ledger, objects)
    customer, key = add_customer(ledger, "acme")
    nowhere = f"http://127.0.0.1:{closed_port()}/api"
    with temporary_settings({PREFECT_API_URL: nowhere}), served(create_app(service)) as url:
        made = Stack(service=service, ledger=ledger, objects=objects, customer=customer, key=key, url=url)
        yield made
        made.close()
