"""`octavo submit` stages files in few calls, and one by one where the service knows no such call."""

from collections import Counter
from pathlib import Path

import httpx
import pytest

from octavo.client import submission
from octavo.client.customer import CustomerClient
from octavo.client.inputs import find_inputs
from octavo.client.results_folder import ItemEnd
from octavo.client.submission import submit
from octavo.identifiers import BatchId
from tests.unit.client.stack import Stack
from tests.unit.client.test_submission import Answer, Wires, progress, work_off, write


def run(stack: Stack, tmp_path: Path, before: Answer, **files: bytes) -> tuple[dict[str, str], Counter[str]]:
    """Submit these files; returns how each ended, and how often each path was asked for."""
    asked: Counter[str] = Counter()

    def counted(request: httpx.Request) -> httpx.Response | None:
        if request.method == "POST":
            asked[request.url.path] += 1
        return before(request)

    inputs = find_inputs(write(tmp_path / "in", **files))
    ends: list[ItemEnd] = []
    with CustomerClient(stack.url, stack.key, transport=Wires(stack.objects, counted)) as client:
        submitted = progress(lambda batch: work_off(stack, BatchId(batch["id"])), ends)
        found = submit(client, inputs, tmp_path / "out", engine=None, progress=submitted)
    assert len(ends) == len(found)
    return {end.input.name: end.status if end.error is None else end.error["code"] for end in found}, asked


def test_files_are_staged_so_many_at_a_time(stack: Stack, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(submission, "STAGED_AT_ONCE", 2)
    found, asked = run(stack, tmp_path, lambda _: None, a=b"1", b=b"2", c=b"3")
    assert asked == {"/v1/files/bulk": 2, "/v1/batches": 1}
    assert found == {"a.pdf": "succeeded", "b.pdf": "unsupported_input", "c.pdf": "succeeded"}


@pytest.mark.parametrize("status", [404, 405])
def test_a_service_without_bulk_staging_is_asked_once_and_then_for_each_file(
    stack: Stack, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, status: int
) -> None:
    monkeypatch.setattr(submission, "STAGED_AT_ONCE", 2)

    def refuse(request: httpx.Request) -> httpx.Response | None:
        return httpx.Response(status, json={"error": "x"}) if request.url.path == "/v1/files/bulk" else None

    found, asked = run(stack, tmp_path, refuse, a=b"1", b=b"2", c=b"3")
    assert asked == {"/v1/files/bulk": 1, "/v1/files": 3, "/v1/batches": 1}
    assert set(found.values()) == {"succeeded", "unsupported_input"}


def test_a_file_over_the_cap_ends_alone(stack: Stack, tmp_path: Path) -> None:
    def capped(request: httpx.Request) -> httpx.Response | None:
        if request.url.path == "/v1/files/bulk" and b'"size_bytes":9' in request.content:
            return httpx.Response(413, json={"error": "file_too_large", "index": 1, "limit_bytes": 8, "message": "No."})
        return None

    found, asked = run(stack, tmp_path, capped, a=b"1", b=b"123456789", c=b"3")
    assert (found["b.pdf"], found["a.pdf"]) == ("document_too_large", "succeeded")
    assert asked["/v1/files/bulk"] == 2


def test_a_file_whose_upload_address_has_run_out_is_staged_anew(stack: Stack, tmp_path: Path) -> None:
    refusals = [httpx.Response(403)]

    def expired(request: httpx.Request) -> httpx.Response | None:
        return refusals.pop() if request.method == "PUT" and refusals else None

    found, asked = run(stack, tmp_path, expired, a=b"1")
    assert found == {"a.pdf": "succeeded"}
    assert asked == {"/v1/files/bulk": 1, "/v1/files": 1, "/v1/batches": 1}
