"""`POST /v1/batches/{id}/retry_failed`: what failed runs again, in the same batch."""

import typing
from dataclasses import replace

import pytest

from api.v1.retries import ItemErrorCode
from octavo.errors import DOCUMENT_ERRORS
from octavo.identifiers import BatchId
from tests.unit.api.service import Api, failed, succeeded
from tests.unit.api.v1.test_results import BOTH

pytestmark = pytest.mark.anyio


async def ended(api: Api, *codes: str | None) -> BatchId:
    batch_id = await api.batch(len(codes))
    api.finish_all(batch_id, *(failed(code) if code else succeeded() for code in codes))
    return batch_id


@BOTH
async def test_the_answer_is_the_batch_as_it_goes_on(api: Api) -> None:
    batch_id = await ended(api, "internal_error", None, "extraction_failed")
    before = (await api.http.get(f"/v1/batches/{batch_id}")).json()
    answer = await api.http.post(f"/v1/batches/{batch_id}/retry_failed")
    assert answer.status_code == 200, answer.text
    body = answer.json()
    assert (body["id"], body["status"], body["completed_at"]) == (batch_id, "running", None)
    assert (body["retried"], body["expired"]) == (2, 0)
    assert body["counts"] == {"pending": 2, "running": 0, "succeeded": 1, "failed": 0, "cancelled": 0}
    assert body["expires_at"] > before["expires_at"]
    assert body["created_at"] == before["created_at"]


@BOTH
async def test_its_cursor_leads_to_what_runs_again_and_to_the_end(api: Api) -> None:
    batch_id = await ended(api, "internal_error", None)
    old = {item["position"]: item for item in (await api.http.get(f"/v1/batches/{batch_id}")).json()["items"]}
    cursor = (await api.http.post(f"/v1/batches/{batch_id}/retry_failed")).json()["next_cursor"]
    page = (await api.http.get(f"/v1/batches/{batch_id}", params={"cursor": cursor})).json()
    (item,) = page["items"]
    assert (item["id"], item["status"], item["error"]) == (old[0]["id"], "pending", None)
    assert item["attempts"] == 1
    api.finish_all(batch_id, succeeded())
    page = (await api.http.get(f"/v1/batches/{batch_id}", params={"cursor": page["next_cursor"]})).json()
    assert [(item["id"], item["status"], item["attempts"]) for item in page["items"]] == [
        (old[0]["id"], "succeeded", 2)
    ]
    assert (page["status"], page["next_cursor"]) == ("completed", None)


async def test_only_items_with_the_given_codes_run_again(api: Api) -> None:
    batch_id = await ended(api, "internal_error", "extraction_failed")
    answer = await api.http.post(f"/v1/batches/{batch_id}/retry_failed", json={"codes": ["extraction_failed"]})
    assert answer.json()["retried"] == 1
    assert [item.status.value for item in api.items(batch_id)] == ["failed", "pending"]


async def test_where_nothing_failed_nothing_runs_and_there_is_nothing_to_go_on_with(api: Api) -> None:
    batch_id = await ended(api, None)
    body = (await api.http.post(f"/v1/batches/{batch_id}/retry_failed", json={})).json()
    assert (body["status"], body["retried"], body["next_cursor"]) == ("completed", 0, None)


async def test_while_a_cancel_is_under_way_a_retry_is_refused(api: Api) -> None:
    batch_id = await api.batch(2)
    (piece,) = api.claim(batch_id, 1).slices
    api.begin(piece.items[0])
    await api.http.post(f"/v1/batches/{batch_id}/cancel")
    answer = await api.http.post(f"/v1/batches/{batch_id}/retry_failed")
    assert (answer.status_code, answer.json()["error"]) == (409, "batch_cancelling")


@BOTH
async def test_items_whose_files_are_gone_cannot_run_again(api: Api) -> None:
    batch_id = await ended(api, "internal_error")
    api.clock.shift = api.clock.shift.__class__(hours=73)
    answer = await api.http.post(f"/v1/batches/{batch_id}/retry_failed")
    assert (answer.status_code, answer.json()["error"]) == (404, "file_not_found")
    assert answer.json()["file_ids"] == [api.items(batch_id)[0].file_id]


async def test_another_customers_batch_is_not_found(api: Api) -> None:
    batch_id = await ended(api, "internal_error")
    answer = await api.stranger().post(f"/v1/batches/{batch_id}/retry_failed")
    assert (answer.status_code, answer.json()["error"]) == (404, "batch_not_found")
    assert api.items(batch_id)[0].status.value == "failed"


async def test_who_has_used_the_quota_up_retries_nothing_until_it_is_raised(api: Api) -> None:
    batch_id = await ended(api, "payment_required", None)
    api.ledger.accounts.set_limits(api.customer.customer_id, {"page_quota": 1})
    answer = await api.http.post(f"/v1/batches/{batch_id}/retry_failed")
    assert (answer.status_code, answer.json()["error"]) == (402, "quota_exceeded")
    api.ledger.accounts.set_limits(api.customer.customer_id, {"page_quota": 2})
    answer = await api.http.post(f"/v1/batches/{batch_id}/retry_failed", json={"codes": ["payment_required"]})
    assert (answer.status_code, answer.json()["retried"]) == (200, 1)


@pytest.mark.parametrize("codes", [[], ["no_such_code"], "internal_error", [1]])
async def test_codes_that_are_none_are_refused(api: Api, codes: object) -> None:
    batch_id = await ended(api, "internal_error")
    answer = await api.http.post(f"/v1/batches/{batch_id}/retry_failed", json={"codes": codes})
    assert answer.status_code == 422


def test_every_code_of_an_item_can_be_retried() -> None:
    assert set(typing.get_args(ItemErrorCode)) == set(DOCUMENT_ERRORS)


async def test_a_batch_that_goes_on_gets_a_run(api: Api) -> None:
    asked: list[str] = []
    api.service.dispatcher.start = asked.append  # type: ignore[method-assign,assignment] # Prefect is not there
    batch_id = await ended(api, "internal_error", None)
    await api.http.post(f"/v1/batches/{batch_id}/retry_failed", json={"codes": ["upload_missing"]})
    assert asked.count(batch_id) == 1, "once for the batch itself, not for a retry of nothing"
    await api.http.post(f"/v1/batches/{batch_id}/retry_failed")
    assert asked.count(batch_id) == 2


async def ended_with_failed_pages(api: Api) -> BatchId:
    batch_id = await api.batch(3)
    api.finish_all(batch_id, failed("internal_error"), replace(succeeded(5), failed_pages=2), succeeded())
    return batch_id


@BOTH
async def test_items_with_failed_pages_run_again_where_that_is_asked(api: Api) -> None:
    batch_id = await ended_with_failed_pages(api)
    items = (await api.http.get(f"/v1/batches/{batch_id}")).json()["items"]
    shown = {item["position"]: (item["page_count"], item["failed_pages"]) for item in items}
    assert shown == {0: (None, None), 1: (5, 2), 2: (1, 0)}
    address = f"/v1/batches/{batch_id}/retry_failed"
    answer = await api.http.post(address, json={"failed_pages": True, "codes": []})
    assert (answer.status_code, answer.json()["retried"]) == (200, 1)
    assert [item.status.value for item in api.items(batch_id)] == ["failed", "pending", "succeeded"]
    assert (await api.http.post(address, json={"failed_pages": True})).json()["retried"] == 1
    (item,) = [one for one in api.items(batch_id) if one.position == 1]
    found = await api.http.get(f"/v1/batches/{batch_id}/items/{item.item_id}/result")
    assert (found.status_code, found.json()["error"], found.json()["status"]) == (409, "result_not_ready", "pending")
    api.finish_all(batch_id, failed(), failed())
    ended = {item["position"]: item for item in (await api.http.get(f"/v1/batches/{batch_id}")).json()["items"]}
    assert (ended[0]["status"], ended[1]["status"]) == ("failed", "succeeded")
    assert (ended[1]["failed_pages"], ended[1]["error"], ended[1]["attempts"]) == (2, None, 2)
    found = await api.http.get(f"/v1/batches/{batch_id}/items/{item.item_id}/result")
    assert found.status_code == 302, "nothing is lost by asking"


async def test_without_codes_and_failed_pages_nothing_else_runs(api: Api) -> None:
    batch_id = await ended_with_failed_pages(api)
    assert (await api.http.post(f"/v1/batches/{batch_id}/retry_failed")).json()["retried"] == 1
    assert [item.status.value for item in api.items(batch_id)] == ["pending", "succeeded", "succeeded"]


async def test_who_has_used_the_quota_up_can_have_failed_pages_read_again(api: Api) -> None:
    batch_id = await ended_with_failed_pages(api)
    api.ledger.accounts.set_limits(api.customer.customer_id, {"page_quota": 1})
    address = f"/v1/batches/{batch_id}/retry_failed"
    assert (await api.http.post(address, json={"failed_pages": True})).status_code == 402
    answer = await api.http.post(address, json={"failed_pages": True, "codes": []})
    assert (answer.status_code, answer.json()["retried"]) == (200, 1)
