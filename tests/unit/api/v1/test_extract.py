"""`/v1/extract`: what a caller sees; a worker is simulated by its own requests."""

import asyncio
import contextlib
import json
import threading
from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from octavo.identifiers import CallId, CustomerId, WorkerId
from octavo.ledger.contract import PageAccount
from tests.unit.api.service import ADMIN_TOKEN, Api

pytestmark = pytest.mark.anyio
WORKER = "worker/1"
RESULT = json.dumps(
    {"object": "extraction", "page_count": 2, "pages": [], "engine": "fast 1", "warnings": [], "chunks": []}
)


async def claim(api: Api, worker: str = WORKER, wait: float = 5) -> dict[str, Any] | None:
    answer = await api.worker().post(f"/internal/sync/claims?wait={wait}", json={"worker_id": worker})
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] | None = answer.json()["task"]
    return found


async def end(api: Api, call: dict[str, Any], **said: object) -> httpx.Response:
    which = {"call_id": call["call_id"], "attempt": call["attempt"]}
    if "code" in said:
        return await api.worker().post("/internal/sync/failure", json=which | said)
    where = which | {"pages": said.get("pages", 0)}
    return await api.worker().put("/internal/sync/result", params=where, content=str(said["result"]))


def send(
    api: Api, data: bytes = b"%PDF-1.7 bytes", client: httpx.AsyncClient | None = None, **fields: str
) -> "asyncio.Task[httpx.Response]":
    files = {"file": ("paper.pdf", data, "application/pdf")}
    return asyncio.create_task((client or api.http).post("/v1/extract/file", files=files, data=fields))


def ask(api: Api, url: str = "https://93.184.216.34/paper.pdf") -> "asyncio.Task[httpx.Response]":
    return asyncio.create_task(api.http.post("/v1/extract", json={"url": url}))


async def claimed(api: Api, worker: str = WORKER) -> dict[str, Any]:
    found = await claim(api, worker)
    assert found is not None
    return found


@pytest.mark.parametrize("ledger", ["memory", "duckdb"], indirect=True)
async def test_a_document_is_read_while_its_sender_waits_and_billed_once(api: Api) -> None:
    sent = send(api, b"the bytes", extract_images="false")
    call = await claimed(api)
    assert (call["filename"], call["content_type"], call["url"]) == ("paper.pdf", "application/pdf", None)
    assert (call["extract_text"], call["extract_images"], call["engine"]) == (
        True,
        False,
        api.service.engines.resolve(None).name,
    )
    bytes_of = f"/internal/sync/{call['call_id']}/document?attempt={call['attempt']}"
    assert (await api.worker().get(bytes_of)).content == b"the bytes"
    assert (await end(api, call, pages=2, result=RESULT)).status_code == 200
    answer = await sent
    assert (answer.status_code, answer.text) == (200, RESULT)
    assert api.ledger.billing.page_account(api.customer.customer_id).used == 2
    assert (await end(api, call, pages=2, result=RESULT)).status_code == 409
    assert api.ledger.billing.pages_used(api.customer.customer_id) == 2
    assert api.ledger.billing.differences() == []
    assert api.batches() == []
    assert list(api.objects.list("in/")) == []


async def test_an_address_is_handed_to_the_worker(api: Api) -> None:
    asked = ask(api)
    call = await claimed(api)
    assert call["url"] == "https://93.184.216.34/paper.pdf"
    await end(api, call, pages=1, result=RESULT)
    assert (await asked).status_code == 200


@pytest.mark.parametrize(
    ("code", "status"),
    [
        ("unsupported_input", 415),
        ("document_too_large", 413),
        ("page_limit_exceeded", 413),
        ("extraction_failed", 422),
        ("url_not_allowed", 422),
        ("fetch_failed", 422),
        ("ocr_provider_error", 503),
        ("internal_error", 500),
    ],
)
async def test_what_a_document_came_to_is_the_answer(api: Api, code: str, status: int) -> None:
    asked = ask(api)
    await end(api, await claimed(api), code=code, message="what to do")
    answer = await asked
    assert (answer.status_code, answer.json()) == (status, {"error": code, "message": "what to do"})
    assert api.ledger.billing.pages_used(api.customer.customer_id) == 0


@pytest.mark.parametrize("url", ["http://127.0.0.1/x.pdf", "http://169.254.169.254/", "file:///etc/passwd", "nonsense"])
async def test_an_address_that_may_not_be_asked_is_refused_at_once(api: Api, url: str) -> None:
    answer = await ask(api, url)
    assert (answer.status_code, answer.json()["error"]) == (422, "url_not_allowed")


@pytest.mark.parametrize("body", [{}, {"url": None}, {"url": 5}, {"url": "https://x.example", "ocr": "maybe"}])
async def test_a_body_without_an_address_or_with_odd_options_is_a_422(api: Api, body: dict[str, object]) -> None:
    answer = await api.http.post("/v1/extract", json=body)
    assert answer.status_code == 422
    assert answer.json()["detail"][0]["loc"][0] == "body"


async def test_a_form_without_a_document_is_a_422(api: Api) -> None:
    for given in ({"data": {"file": "text"}}, {"files": {"other": b"x"}}, {"content": b"no form"}):
        answer = await api.http.post("/v1/extract/file", **given)
        assert answer.status_code == 422, given
        assert answer.json()["detail"][0]["loc"] == ["body", "file"]
    odd = await api.http.post("/v1/extract/file", files={"file": b"x"}, data={"extract_text": "perhaps"})
    assert (odd.status_code, odd.json()["detail"][0]["loc"]) == (422, ["body", "extract_text"])


async def test_a_form_is_judged_after_the_key(api: Api) -> None:
    for path in ("/v1/extract/file", "/v1/extract/schema/file"):
        assert (await api.client().post(path, content=b"no form")).status_code == 401


async def test_another_worker_takes_over_from_one_that_is_lost(api: Api) -> None:
    sent = send(api)
    first = await claimed(api, "lost/1")
    api.service.workers.forget(WorkerId("lost/1"))
    api.service.workers._since -= 1000
    second = await claimed(api, "other/1")
    assert (second["call_id"], second["attempt"]) == (first["call_id"], 2)
    assert (await end(api, first, pages=9, result="{}")).status_code == 409
    await end(api, second, pages=1, result=RESULT)
    assert (await sent).status_code == 200
    assert api.ledger.billing.pages_used(api.customer.customer_id) == 1


async def test_customers_come_in_turn(api: Api) -> None:
    mine = [send(api) for _ in range(3)]
    async with asyncio.timeout(60):
        while len(api.service.sync_extractions.broker.jobs) < 3:
            await asyncio.sleep(0.005)
    theirs = send(api, client=api.stranger())
    async with asyncio.timeout(60):
        while len(api.service.sync_extractions.broker.jobs) < 4:
            await asyncio.sleep(0.005)
    given = [await claimed(api) for _ in range(2)]
    await end(api, given[1], pages=7, result=RESULT)
    assert (await theirs).status_code == 200
    for task in mine:
        task.cancel()
    await asyncio.gather(*mine, return_exceptions=True)


async def test_pages_over_the_quota_are_refused_before_they_are_read(api: Api) -> None:
    api.ledger.accounts.set_limits(api.customer.customer_id, {"page_quota": 3})
    sent, again = send(api), send(api)
    call, other = await claimed(api), await claimed(api)
    assert call["reserves_pages"]

    async def reserve(one: dict[str, Any], pages: int) -> bool:
        body = {"call_id": one["call_id"], "attempt": one["attempt"], "pages": pages}
        return bool((await api.worker().post("/internal/sync/pages", json=body)).json()["accepted"])

    assert await reserve(call, 2)
    assert not await reserve(other, 2)
    assert await reserve(other, 1)
    await end(api, other, code="payment_required", message="no pages left")
    await end(api, call, pages=2, result=RESULT)
    answers = {answer.status_code for answer in await asyncio.gather(sent, again)}
    assert answers == {200, 402}
    assert api.ledger.billing.page_account(api.customer.customer_id) == PageAccount(limit=3, used=2, reserved=0)


async def test_a_result_over_the_quota_is_neither_billed_nor_given(api: Api) -> None:
    sent = send(api)
    call = await claimed(api)
    api.ledger.accounts.set_limits(api.customer.customer_id, {"page_quota": 1})
    await end(api, call, pages=2, result=RESULT)
    assert (await sent).json()["error"] == "quota_exceeded"
    assert api.ledger.billing.pages_used(api.customer.customer_id) == 0


async def test_a_client_that_goes_away_ends_its_call(api: Api) -> None:
    sent = send(api)
    call = await claimed(api)
    sent.cancel()
    await asyncio.gather(sent, return_exceptions=True)
    assert (await end(api, call, pages=1, result=RESULT)).status_code == 409
    assert api.ledger.billing.pages_used(api.customer.customer_id) == 0


async def test_a_document_that_takes_too_long_is_a_504(api: Api) -> None:
    api.service.sync_extractions.seconds = 0.05
    answer = await send(api)
    assert (answer.status_code, answer.json()["error"]) == (504, "extraction_timeout")
    assert await claim(api, wait=0) is None


@contextlib.contextmanager
def held_bill(api: Api, monkeypatch: pytest.MonkeyPatch, *, fails: bool = False) -> Iterator[threading.Event]:
    """Let no bill be written before the event is set."""
    write, go = api.ledger.billing.bill_call, threading.Event()

    def bill(customer_id: CustomerId, call_id: CallId, pages: int) -> bool:
        go.wait(5)
        if fails:
            raise ValueError("no commit")
        return write(customer_id, call_id, pages)

    monkeypatch.setattr(api.ledger.billing, "bill_call", bill)
    try:
        yield go
    finally:
        go.set()


async def until_billing(api: Api) -> None:
    async with asyncio.timeout(60):
        while not any(job.is_ending for job in api.service.sync_extractions.broker.jobs):
            await asyncio.sleep(0.005)


async def test_who_is_billed_at_the_last_moment_gets_the_result(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    api.service.sync_extractions.seconds = 0.5
    with held_bill(api, monkeypatch) as go:
        sent = send(api)
        ended = asyncio.create_task(end(api, await claimed(api), pages=2, result=RESULT))
        await until_billing(api)
        done, _ = await asyncio.wait({sent}, timeout=1.0)
        assert not done
        go.set()
        assert ((await sent).status_code, (await ended).status_code) == (200, 200)
    assert api.ledger.billing.pages_used(api.customer.customer_id) == 2


async def test_a_bill_that_cannot_be_written_keeps_nobody_waiting(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    api.service.sync_extractions.seconds = 0.5
    with held_bill(api, monkeypatch, fails=True) as go:
        sent = send(api)
        ended = asyncio.create_task(end(api, await claimed(api), pages=2, result=RESULT))
        await until_billing(api)
        go.set()
        await ended
        assert (await asyncio.wait_for(sent, 5)).status_code == 504
    assert api.ledger.billing.pages_used(api.customer.customer_id) == 0


async def test_a_word_that_is_said_again_while_it_is_billed_is_refused(
    api: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    with held_bill(api, monkeypatch) as go:
        sent = send(api)
        call = await claimed(api)
        first = asyncio.create_task(end(api, call, pages=2, result=RESULT))
        await until_billing(api)
        assert (await end(api, call, pages=2, result=RESULT)).status_code == 409
        go.set()
        assert ((await first).status_code, (await sent).status_code) == (200, 200)
    assert api.ledger.billing.pages_used(api.customer.customer_id) == 2


async def test_schemas_are_not_filled_yet(api: Api) -> None:
    body = {"url": "https://93.184.216.34/x.pdf", "schema": {"total": {"type": "number"}}}
    found = await api.http.post("/v1/extract/schema", json=body)
    assert (found.status_code, found.json()["error"]) == (501, "schema_extraction_unavailable")
    form = await api.http.post("/v1/extract/schema/file", files={"file": b"x"}, data={"schema": "{}"})
    assert (form.status_code, form.json()["error"]) == (501, "schema_extraction_unavailable")
    assert (await api.http.post("/v1/extract/schema", json={"strict": "perhaps"})).status_code == 422
    assert (await api.http.post("/v1/extract/schema/file", data={"strict": "true"})).status_code == 422


async def test_a_key_for_uploads_only_may_send_a_document_but_name_no_address(api: Api) -> None:
    made = await api.client(Authorization=f"Bearer {ADMIN_TOKEN}").post(
        "/admin/keys", json={"customer": api.customer.name, "uploads_only": True}
    )
    client = api.client(**{"X-API-KEY": made.json()["key"]})
    for path in ("/v1/extract", "/v1/extract/schema"):
        answer = await client.post(path, json={"url": "https://93.184.216.34/x.pdf"})
        assert (answer.status_code, answer.json()["error"]) == (403, "uploads_only")


async def watch(api: Api, call: dict[str, Any], wait: float = 5) -> bool:
    body = {"call_id": call["call_id"], "attempt": call["attempt"]}
    answer = await api.worker().post(f"/internal/sync/watch?wait={wait}", json=body)
    assert answer.status_code == 200, answer.text
    return bool(answer.json()["accepted"])


async def test_a_worker_is_told_when_nobody_waits_any_more(api: Api) -> None:
    sent = send(api)
    call = await claimed(api)
    assert await watch(api, call, wait=0.01), "somebody waits"
    watching = asyncio.create_task(watch(api, call))
    sent.cancel()
    await asyncio.gather(sent, return_exceptions=True)
    assert not await asyncio.wait_for(watching, 2)


async def test_a_worker_is_told_when_another_has_its_call(api: Api) -> None:
    sent = send(api)
    first = await claimed(api, "lost/1")
    watching = asyncio.create_task(watch(api, first))
    api.service.workers.forget(WorkerId("lost/1"))
    api.service.workers._since -= 1000
    second = await claimed(api, "other/1")
    assert not await asyncio.wait_for(watching, 2)
    assert not await watch(api, first)
    assert await watch(api, second, wait=0.01)
    await end(api, second, pages=1, result=RESULT)
    assert (await sent).status_code == 200
    assert not await watch(api, second)


async def test_a_customer_has_no_more_than_so_many_documents_at_once(api: Api) -> None:
    most = api.service.sync_extractions.limit_per_customer = 2
    sent = [send(api) for _ in range(most)]
    calls = [await claimed(api) for _ in range(most)]
    for refused in (await send(api), await ask(api)):
        assert (refused.status_code, refused.json()["error"]) == (429, "rate_limited")
        assert refused.headers["retry-after"] == "5"
        assert "as many documents waiting or in progress as allowed (2)" in refused.json()["message"]
    theirs = send(api, client=api.stranger())
    await end(api, await claimed(api), pages=1, result=RESULT)
    assert (await theirs).status_code == 200
    await end(api, calls[0], pages=1, result=RESULT)
    again = send(api)
    await end(api, await claimed(api), pages=1, result=RESULT)
    await end(api, calls[1], pages=1, result=RESULT)
    assert [answer.status_code for answer in await asyncio.gather(*sent, again)] == [200, 200, 200]


async def test_all_together_have_no_more_than_so_many_documents_at_once(api: Api) -> None:
    api.service.sync_extractions.limit = 1
    sent = send(api)
    call = await claimed(api)
    refused = await send(api, client=api.stranger())
    assert (refused.status_code, refused.json()["error"]) == (429, "rate_limited")
    assert "As many documents as allowed are waiting or in progress" in refused.json()["message"]
    await end(api, call, pages=1, result=RESULT)
    assert (await sent).status_code == 200


async def test_who_goes_away_while_the_bill_is_written_has_bought_the_result(
    api: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    with held_bill(api, monkeypatch) as go:
        sent = send(api)
        ended = asyncio.create_task(end(api, await claimed(api), pages=2, result=RESULT))
        await until_billing(api)
        sent.cancel()
        await asyncio.gather(sent, return_exceptions=True)
        go.set()
        assert (await ended).status_code == 200
    assert api.ledger.billing.pages_used(api.customer.customer_id) == 2
    assert api.ledger.billing.differences() == []
