"""Sync extractions on a real stack: one document, its result in the response."""

import http.server
import json
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from octavo.samples import make_samples
from tests.acceptance.stack import Stack, wait_for

LIMIT = 60.0


@pytest.fixture(scope="module")
def samples(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("sync")
    make_samples(folder)
    return folder


@pytest.fixture(scope="module")
def key(stack: Stack) -> str:
    return stack.new_key("sync")


def send(stack: Stack, key: str, path: Path, **fields: str) -> httpx.Response:
    with path.open("rb") as file:
        return httpx.post(
            f"{stack.url}/v1/extract/file",
            files={"file": (path.name, file)},
            data=fields,
            headers={"X-API-KEY": key},
            timeout=LIMIT,
        )


def batch(stack: Stack, key: str, path: Path, **fields: object) -> tuple[httpx.Client, dict[str, Any]]:
    client = httpx.Client(base_url=stack.url, headers={"X-API-KEY": key}, timeout=LIMIT, follow_redirects=True)
    staged = client.post("/v1/files", json={"filename": path.name, "size_bytes": path.stat().st_size}).json()
    assert httpx.put(staged["upload"]["url"], content=path.read_bytes(), timeout=60).is_success
    made = client.post("/v1/batches", json={"source": {"file_ids": [staged["id"]]}, **fields})
    assert made.status_code == 200, made.text
    return client, made.json()


def test_the_answer_is_the_result_that_a_batch_gives(stack: Stack, key: str, samples: Path) -> None:
    path = samples / "report.pdf"
    answer = send(stack, key, path)
    assert answer.status_code == 200, answer.text
    client, made = batch(stack, key, path)
    ended = wait_for(lambda: _ended(client, made["id"]), limit=LIMIT, what="the end of the batch")
    (item,) = ended["items"]
    assert answer.json() == client.get(item["result_url"]).json()
    usage = client.get("/v1/usage").json()["data"][-1]
    assert (usage["items"], usage["pages"], usage["batches"]) == (2, 4, 1)
    client.close()


def _ended(client: httpx.Client, batch_id: str) -> dict[str, Any] | None:
    found: dict[str, Any] = client.get(f"/v1/batches/{batch_id}").json()
    return found if found["completed_at"] else None


@pytest.mark.parametrize(
    ("name", "status", "code"),
    [
        ("damaged.pdf", 422, "extraction_failed"),
        ("note.pdf", 415, "unsupported_input"),
        ("empty", 415, "unsupported_input"),
    ],
)
def test_what_cannot_be_read_has_its_code(
    stack: Stack, key: str, samples: Path, name: str, status: int, code: str
) -> None:
    (samples / "empty").touch()
    answer = send(stack, key, samples / name)
    assert (answer.status_code, answer.json()["error"]) == (status, code)


def test_a_call_does_not_wait_for_a_batch_that_has_all_lanes(stack: Stack, key: str, samples: Path) -> None:
    client, made = batch(stack, key, samples / "report.pdf", engine="sleep:20")
    client.close()
    wait_for(lambda: _running(stack, key, made["id"]), limit=LIMIT, what="a running item")
    assert send(stack, key, samples / "report.pdf").status_code == 200
    assert _running(stack, key, made["id"])
    httpx.post(f"{stack.url}/v1/batches/{made['id']}/cancel", headers={"X-API-KEY": key}, timeout=60)


def _running(stack: Stack, key: str, batch_id: str) -> bool:
    found = httpx.get(f"{stack.url}/v1/batches/{batch_id}", headers={"X-API-KEY": key}, timeout=60).json()
    return bool(found["counts"]["running"])


class _Quiet(http.server.SimpleHTTPRequestHandler):
    def log_message(self, format: str, *args: object) -> None:
        pass


@pytest.fixture
def private_server() -> Iterator[str]:
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), _Quiet)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}/report.pdf"
    server.shutdown()
    server.server_close()


def test_a_private_address_is_not_asked(stack: Stack, key: str, private_server: str) -> None:
    answer = httpx.post(
        f"{stack.url}/v1/extract", json={"url": private_server}, headers={"X-API-KEY": key}, timeout=LIMIT
    )
    assert (answer.status_code, answer.json()["error"]) == (422, "url_not_allowed")
    assert json.loads(answer.text)["message"]
