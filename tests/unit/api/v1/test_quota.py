"""The page quota at submission: 402 after key, limit, body and replay, before the files are checked."""

import pytest

from tests.unit.api.service import Api, succeeded

pytestmark = pytest.mark.anyio
BOTH = pytest.mark.parametrize("ledger", ["memory", "duckdb"], indirect=True)


def give_quota(api: Api, pages: int | None) -> None:
    api.ledger.accounts.set_limits(api.customer.customer_id, {"page_quota": pages})


@BOTH
async def test_who_has_used_the_quota_up_submits_nothing(api: Api) -> None:
    give_quota(api, 3)
    api.finish_all(await api.batch(), succeeded(pages=3))
    answer = await api.submit([await api.upload()])
    assert answer.status_code == 402
    assert answer.json()["error"] == "quota_exceeded"
    assert answer.json()["limit"] == 3
    assert len(api.batches()) == 1
    give_quota(api, 4)
    assert (await api.submit([await api.upload()])).status_code == 200
    give_quota(api, None)
    assert (await api.submit([await api.upload()])).status_code == 200


@BOTH
async def test_the_quota_comes_after_the_body_and_the_replay_and_before_the_files(api: Api) -> None:
    file_id = await api.upload()
    body = {"source": {"file_ids": [file_id]}}
    first = await api.http.post("/v1/batches", json=body, headers={"Idempotency-Key": "k"})
    give_quota(api, 0)
    assert (await api.submit([file_id], engine="nobody")).status_code == 422
    assert (await api.http.post("/v1/batches", json={})).status_code == 422
    replay = await api.http.post("/v1/batches", json=body, headers={"Idempotency-Key": "k"})
    assert (replay.status_code, replay.json()["id"]) == (200, first.json()["id"])
    other = {"source": {"file_ids": [file_id, file_id]}}
    reused = await api.http.post("/v1/batches", json=other, headers={"Idempotency-Key": "k"})
    assert reused.json()["error"] == "idempotency_key_reused"
    assert (await api.submit(["file_x"])).status_code == 402
    pending = (await api.stage())["id"]
    assert (await api.submit([pending])).status_code == 402


async def test_a_refused_submission_does_not_hold_its_key(api: Api) -> None:
    give_quota(api, 0)
    body = {"source": {"file_ids": [await api.upload()]}}
    answers = []
    for quota in (0, 1):
        give_quota(api, quota)
        answers.append(await api.http.post("/v1/batches", json=body, headers={"Idempotency-Key": "k"}))
    assert [answer.status_code for answer in answers] == [402, 200]


async def test_pages_that_are_only_set_aside_refuse_nobody(api: Api) -> None:
    give_quota(api, 1)
    batch_id = await api.batch()
    (piece,) = api.claim(batch_id).slices
    api.begin(piece.items[0])
    worker = api.worker()
    body = {"item_id": piece.items[0].item_id, "lease_no": piece.items[0].lease_no, "pages": 1}
    assert (await worker.post("/internal/reservations", json=body)).json() == {"is_reserved": True}
    assert (await api.submit([await api.upload()])).status_code == 200
    body["pages"] = 2
    assert (await worker.post("/internal/reservations", json=body)).json() == {"is_reserved": False}
    body["lease_no"] = 99
    assert (await worker.post("/internal/reservations", json=body)).status_code == 409
