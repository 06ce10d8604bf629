"""What only a real socket shows: bodies without a length, long polls, a start without an orchestrator."""

import json
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from octavo.batches import RunStatus
from octavo.identifiers import BatchId
from tests.unit.api.serving import until
from tests.unit.client.stack import Stack, running_stack


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    with running_stack(tmp_path_factory.mktemp("data")) as made:
        yield made


@pytest.fixture
def http(stack: Stack) -> Iterator[httpx.Client]:
    headers = {"X-API-KEY": stack.key, "Content-Type": "application/json"}
    with httpx.Client(base_url=stack.url, headers=headers, trust_env=False, timeout=90) as client:
        yield client


def test_a_chunked_body_over_the_cap_is_refused(http: httpx.Client) -> None:
    def chunks() -> Iterator[bytes]:
        for _ in range(5):
            yield b" " * (1024 * 1024)

    answer = http.post("/v1/batches", content=chunks())
    assert (answer.status_code, answer.json()["error"]) == (413, "request_too_large")


def test_a_batch_is_taken_while_the_orchestrator_is_away_and_its_run_waits(stack: Stack, http: httpx.Client) -> None:
    began = time.monotonic()
    answer = http.post("/v1/batches", json={"source": {"file_ids": [stack.file()]}})
    assert answer.status_code == 200
    assert time.monotonic() - began < 60, "a run that nobody takes is not waited for"
    batch_id = BatchId(answer.json()["id"])

    def runs() -> list[RunStatus]:
        return [
            run.status for found in stack.ledger.runs.open_batches() for run in found.runs if run.batch_id == batch_id
        ]

    until(lambda: runs() == [RunStatus.STARTING], "the run is kept in the ledger")
    assert http.get(f"/v1/batches/{batch_id}").json()["status"] == "pending"


def test_the_served_openapi_and_its_page_come_from_here_alone(stack: Stack, http: httpx.Client) -> None:
    described = http.get("/openapi.json")
    assert json.loads(described.content)["openapi"].startswith("3.1")
    page = http.get("/docs").text
    assert "openapi.json" in page
    assert "//cdn." not in page


def test_an_answer_in_the_middle_of_a_folder_climb_stays_inside(http: httpx.Client, tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("secret")
    for path in ("/static-offline-docs/../api/app.py", "/static-offline-docs/%2e%2e/%2e%2e/pyproject.toml"):
        assert http.get(path).status_code in (404, 405)
