"""The storages every claim of the contract is tried on: memory, the embedded server, an S3 from outside.

The last one is named by OCTAVO_TEST_S3_ENDPOINT, _BUCKET, _ACCESS_KEY, _SECRET_KEY and _REGION.
"""

import os
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import date

import httpx
import pytest

from octavo.identifiers import new_customer_id, new_file_id
from octavo.objects.contract import ObjectStore
from octavo.objects.keys import input_key
from octavo.objects.memory import Answer, MemoryObjects
from octavo.objects.s3 import S3Objects, S3Settings
from tests.storage_server import storage_server

DAY = date(2026, 11, 23)
OUTSIDE = "OCTAVO_TEST_S3_"

Put = Callable[[str, bytes, Mapping[str, str] | None], Answer]
Get = Callable[[str], Answer]


@dataclass(slots=True)
class Storage:
    """A store, how a client exchanges bytes with it by URL, and the keys a test has used."""

    objects: ObjectStore
    put_through: Put
    get_through: Get
    used: list[str] = field(default_factory=list)

    def new_keys(self, count: int) -> list[str]:
        customer_id = new_customer_id()
        keys = [input_key(customer_id, DAY, new_file_id()) for _ in range(count)]
        self.used += keys
        return keys

    def new_key(self) -> str:
        return self.new_keys(1)[0]

    def put(self, url: str, data: bytes, headers: Mapping[str, str] | None = None) -> Answer:
        return self.put_through(url, data, headers)

    def get(self, url: str) -> Answer:
        return self.get_through(url)

    def holds(self, key: str) -> bool:
        return key in self.objects.sizes([key], time_limit_seconds=10)


def _put_over_http(url: str, data: bytes, headers: Mapping[str, str] | None) -> Answer:
    return _answer(httpx.put(url, content=data, headers=dict(headers or {}), trust_env=False, timeout=60))


def _get_over_http(url: str) -> Answer:
    return _answer(httpx.get(url, trust_env=False, timeout=60))


def _answer(response: httpx.Response) -> Answer:
    return Answer(response.status_code, dict(response.headers), response.content)


@pytest.fixture(scope="session")
def embedded() -> Iterator[S3Settings]:
    with storage_server() as settings:
        yield settings


@pytest.fixture(params=["memory", "embedded", *(["outside"] if OUTSIDE + "ENDPOINT" in os.environ else [])])
def storage(request: pytest.FixtureRequest) -> Iterator[Storage]:
    if request.param == "memory":
        memory = MemoryObjects()
        yield Storage(memory, memory.put_through, memory.get_through)
        return
    settings = _outside() if request.param == "outside" else request.getfixturevalue("embedded")
    objects = S3Objects(settings)
    objects.ensure_bucket()
    storage = Storage(objects, _put_over_http, _get_over_http)
    yield storage
    objects.delete(storage.used)


def _outside() -> S3Settings:
    return S3Settings(
        endpoint_url=os.environ[OUTSIDE + "ENDPOINT"],
        public_url=os.environ[OUTSIDE + "ENDPOINT"],
        bucket=os.environ[OUTSIDE + "BUCKET"],
        access_key=os.environ[OUTSIDE + "ACCESS_KEY"],
        secret_key=os.environ[OUTSIDE + "SECRET_KEY"],
        region=os.environ[OUTSIDE + "REGION"],
    )
