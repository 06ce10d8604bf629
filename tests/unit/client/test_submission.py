"""A customer's client: from files on disk to results on disk, over the public contract alone."""

import json
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from octavo.client import customer as customer_client
from octavo.client.customer import ATTEMPTS, CustomerClient, Refused
from octavo.client.inputs import find_inputs
from octavo.client.results_folder import ItemEnd
from octavo.client.submission import Progress, submit
from octavo.directory import free_port
from octavo.errors import ServiceUnreachable
from octavo.identifiers import BatchId
from octavo.ledger.contract import ClaimRequest, Report, ReportKind
from octavo.objects import keys
from octavo.objects.memory import MemoryObjects
from tests.unit.api.service import failed, succeeded
from tests.unit.client.stack import RUN, Stack

Answer = Callable[[httpx.Request], httpx.Response | None]


class Wires(httpx.BaseTransport):
    """Carries requests for storage to memory and all others to their address; `before` may answer first."""

    def __init__(self, objects: MemoryObjects, before: Answer = lambda _: None) -> None:
        self._objects = objects
        self._before = before
        self._real = httpx.HTTPTransport()
        self.to_storage: list[httpx.Request] = []

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        first = self._before(request)
        if first is not None:
            return first
        if request.url.host != "memory.invalid":
            return self._real.handle_request(request)
        self.to_storage.append(request)
        url = str(request.url)
        if request.method == "PUT":
            found = self._objects.put_through(url, request.read(), dict(request.headers))
        else:
            found = self._objects.get_through(url)
        return httpx.Response(found.status, headers=dict(found.headers), content=found.body)

    def close(self) -> None:
        self._real.close()


@pytest.fixture
def wires(stack: Stack) -> Wires:
    return Wires(stack.objects)


@pytest.fixture
def client(stack: Stack, wires: Wires) -> Iterator[CustomerClient]:
    with CustomerClient(stack.url, stack.key, transport=wires) as made:
        yield made


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(customer_client, "FIRST_PAUSE_SECONDS", 0.01)
    monkeypatch.setattr(customer_client, "LONGEST_PAUSE_SECONDS", 0.01)


def work_off(stack: Stack, batch_id: BatchId) -> None:
    """Fail every second item and let the others succeed, as a worker would."""
    outcome = succeeded(2)
    key = keys.result_key(stack.customer.customer_id, outcome.result_id, "extract-page.json")
    stack.objects.write(key, b'{"chunks": [{"page_content": "a"}, {"page_content": "b"}]}', "application/json")
    request = ClaimRequest(batch_id=batch_id, run_id=RUN, worker_id=stack.worker().worker_id, slots=8)
    for piece in stack.ledger.work.claim(request).slices:
        item = piece.items[0]
        came_to = failed("unsupported_input") if item.position % 2 else outcome
        word = Report(kind=ReportKind.FINISH, item_id=item.item_id, lease_no=item.lease_no, outcome=came_to)
        stack.ledger.work.report([word])


def progress(on_submitted: Callable[[dict[str, Any]], None], ends: list[ItemEnd]) -> Progress:
    return Progress(uploaded=lambda _: None, submitted=on_submitted, changed=lambda _: None, ended=ends.append)


def write(folder: Path, **files: bytes) -> list[Path]:
    folder.mkdir(parents=True, exist_ok=True)
    paths = []
    for name, data in files.items():
        paths.append(folder / f"{name}.pdf")
        paths[-1].write_bytes(data)
    return paths


def test_files_go_in_and_results_come_out(stack: Stack, client: CustomerClient, wires: Wires, tmp_path: Path) -> None:
    inputs = find_inputs(write(tmp_path / "in", a=b"one", b=b"two", c=b"three", d=b""))
    ends: list[ItemEnd] = []
    out = tmp_path / "out"
    found = submit(
        client,
        inputs,
        out,
        engine=None,
        progress=progress(lambda batch: work_off(stack, BatchId(batch["id"])), ends),
    )
    states = {end.input.name: end.status for end in found}
    assert states == {"a.pdf": "succeeded", "b.pdf": "failed", "c.pdf": "succeeded", "d.pdf": "failed"}
    good = next(end for end in found if end.input.name == "a.pdf")
    assert (good.page_count, good.chunk_count, good.error) == (2, 2, None)
    assert good.result == out / "a.pdf.json"
    assert len(json.loads((out / "a.pdf.json").read_bytes())["chunks"]) == 2
    codes = {end.input.name: end.error["code"] for end in found if end.error}
    assert codes == {"b.pdf": "unsupported_input", "d.pdf": "unsupported_input"}
    rows = [json.loads(line) for line in (out / "items.jsonl").read_text().splitlines()]
    assert sorted(row["file"] for row in rows) == ["a.pdf", "b.pdf", "c.pdf", "d.pdf"]
    assert sorted(end.input.name for end in ends) == sorted(states)
    assert wires.to_storage
    assert not any("x-api-key" in request.headers for request in wires.to_storage), "storage gets no key"


def test_following_shows_every_item_and_ends(stack: Stack, client: CustomerClient) -> None:
    batch_id = stack.batch(stack.file(), stack.file())
    work_off(stack, batch_id)
    (page,) = list(client.follow(batch_id))
    assert (page["status"], len(page["items"]), page["next_cursor"]) == ("partially_failed", 2, None)


def test_following_waits_for_changes_instead_of_asking_again(stack: Stack) -> None:
    batch_id = stack.batch(stack.file(), stack.file())
    polls: list[httpx.URL] = []

    def counted(request: httpx.Request) -> None:
        polls.append(request.url)
        if len(polls) == 2:
            threading.Timer(1.5, lambda: work_off(stack, batch_id)).start()

    with CustomerClient(stack.url, stack.key, transport=Wires(stack.objects, counted)) as client:
        pages = list(client.follow(batch_id))
    assert pages[-1]["next_cursor"] is None
    assert all(url.params["wait"] == "30" for url in polls)
    # One for what is there, one for each item that changed at most, one for the end.
    assert len(polls) <= 5


def test_a_wrong_key_is_refused_at_once(stack: Stack, wires: Wires) -> None:
    with CustomerClient(stack.url, "wrong", transport=wires) as client, pytest.raises(Refused) as caught:
        client.batch("batch_x")
    assert caught.value.facts["status"] == 401
    assert "X-API-KEY" in caught.value.message


def test_a_refusal_tells_what_the_service_said(stack: Stack, client: CustomerClient) -> None:
    with pytest.raises(Refused, match="stage and upload them again"):
        client.submit(["file_x"], engine=None, idempotency_key="k")
    with pytest.raises(Refused, match="no engine"):
        client.submit([stack.file()], engine="nobody", idempotency_key="k")


def test_a_submission_repeated_after_a_lost_answer_is_one_batch(stack: Stack, client: CustomerClient) -> None:
    file_id = stack.file()
    batches = [client.submit([file_id], engine=None, idempotency_key="k") for _ in range(2)]
    assert batches[0]["id"] == batches[1]["id"]


@pytest.mark.usefixtures("impatient")
@pytest.mark.parametrize("status", [429, 500, 502, 503, 504])
def test_trouble_that_passes_is_waited_out(stack: Stack, status: int) -> None:
    batch_id = stack.batch()
    troubles = [httpx.Response(status), httpx.Response(status)]
    wires = Wires(stack.objects, lambda _: troubles.pop() if troubles else None)
    with CustomerClient(stack.url, stack.key, transport=wires) as client:
        assert client.batch(batch_id)["id"] == batch_id
    assert not troubles


@pytest.mark.usefixtures("impatient")
def test_a_service_that_has_answered_may_be_away_for_longer_while_files_are_staged(
    stack: Stack, tmp_path: Path
) -> None:
    path, other = write(tmp_path, a=b"one", b=b"two")
    troubles: list[httpx.Response] = []
    wires = Wires(stack.objects, lambda _: troubles.pop() if troubles else None)
    with CustomerClient(stack.url, stack.key, transport=wires) as client:
        client.stage(path)
        troubles += [httpx.Response(503) for _ in range(3 * ATTEMPTS)]
        assert client.stage(other).file_id
    assert not troubles


@pytest.mark.usefixtures("impatient")
def test_a_service_that_does_not_answer_is_told(tmp_path: Path) -> None:
    (path,) = write(tmp_path, a=b"one")
    with CustomerClient(f"http://127.0.0.1:{free_port()}", "k") as client, pytest.raises(ServiceUnreachable):
        client.stage(path)


def test_an_address_that_answers_something_else_is_told(stack: Stack) -> None:
    wires = Wires(stack.objects, lambda _: httpx.Response(200, text="<html>hello</html>"))
    with CustomerClient(stack.url, stack.key, transport=wires) as client, pytest.raises((Refused, ServiceUnreachable)):
        client.submit(["file_x"], engine=None, idempotency_key="k")
