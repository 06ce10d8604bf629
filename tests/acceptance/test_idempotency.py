"""One key, one batch: 200 submits at the same moment, and an API that dies before its answer was read."""

import http.client
import json
import signal
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import httpx
import pytest

from tests.acceptance.stack import Stack, run_octavo, wait_for

SUBMITS = 200


@pytest.fixture(scope="module")
def client(stack: Stack) -> Iterator[httpx.Client]:
    """A customer whose rate is raised."""
    key = stack.new_key("idempotency")
    run_octavo("customers", "set", "idempotency", "--rate", "100000", "--data", str(stack.data), limit=30)
    limits = httpx.Limits(max_connections=SUBMITS)
    with httpx.Client(base_url=stack.url, headers={"X-API-KEY": key}, timeout=60, limits=limits) as made:
        yield made


@pytest.fixture(scope="module")
def file_id(client: httpx.Client) -> str:
    staged = client.post("/v1/files", json={"size_bytes": 4, "filename": "x.pdf"}).json()
    assert httpx.put(staged["upload"]["url"], content=b"data", timeout=60).is_success
    return str(staged["id"])


def submit(client: httpx.Client, key: str, file_ids: list[str]) -> httpx.Response:
    body = {"source": {"file_ids": file_ids}, "engine": "sleep:0.01", "metadata": {"key": key}}
    return client.post("/v1/batches", json=body, headers={"Idempotency-Key": key})


def batches_of(client: httpx.Client, key: str) -> list[str]:
    found: list[dict[str, Any]] = client.get("/v1/batches", params={"limit": 200}).json()["data"]
    return [one["id"] for one in found if (one["metadata"] or {}).get("key") == key]


def test_200_submits_at_the_same_moment_with_one_key_are_one_batch(client: httpx.Client, file_id: str) -> None:
    with ThreadPoolExecutor(SUBMITS) as pool:
        answers = list(pool.map(lambda _: submit(client, "at once", [file_id]), range(SUBMITS)))
    assert {answer.status_code for answer in answers} == {200}
    ids = [answer.json()["id"] for answer in answers]
    assert (len(ids), len(set(ids))) == (SUBMITS, 1)
    assert batches_of(client, "at once") == ids[:1]


def test_a_batch_whose_answer_was_lost_with_the_api_is_given_by_the_retry(
    stack: Stack, client: httpx.Client, file_id: str
) -> None:
    key, body = "lost", {"source": {"file_ids": [file_id]}, "engine": "sleep:0.01", "metadata": {"key": "lost"}}
    headers = {"X-API-KEY": client.headers["X-API-KEY"], "Idempotency-Key": key, "Content-Type": "application/json"}
    unread = http.client.HTTPConnection("127.0.0.1", stack.port, timeout=30)
    unread.request("POST", "/v1/batches", json.dumps(body), headers)
    (batch_id,) = wait_for(lambda: batches_of(client, key), limit=30, what="the batch in the ledger")
    stack.strike("api", signal.SIGKILL)
    unread.close()  # its answer was never read
    stack.wait_until_healthy()
    again = submit(client, key, [file_id])
    assert (again.status_code, again.json()["id"]) == (200, batch_id)
    assert batches_of(client, key) == [batch_id]
