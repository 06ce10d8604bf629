"""`DELETE` of files and batches: what is gone, what stays, and what may not go yet."""

from datetime import timedelta

import pytest

from octavo.identifiers import BatchId, RunId
from octavo.objects import keys
from tests.unit.api.service import RUN, WORKER, Api, failed, succeeded

pytestmark = pytest.mark.anyio
BOTH = pytest.mark.parametrize("ledger", ["memory", "duckdb"], indirect=True)


def stored(api: Api, prefix: str) -> list[str]:
    return sorted(info.key for info in api.objects.list(prefix))


def everything(api: Api) -> bytes:
    infos = [info for prefix in ("in/", "results/", "ledger/") for info in api.objects.list(prefix)]
    return b"".join(info.key.encode() + api.objects.read(info.key, max_bytes=10**9) for info in infos)


async def worked_off(api: Api, file_ids: list[str], **headers: str) -> BatchId:
    """Return a finished batch of these files; its first item has a result with a figure, the others failed."""
    answer = await api.http.post("/v1/batches", json={"source": {"file_ids": file_ids}}, headers=headers)
    batch_id = BatchId(answer.json()["id"])
    outcome = succeeded(3)
    customer_id = api.customer.customer_id
    api.objects.write(keys.result_key(customer_id, outcome.result_id, "document.json"), b"{}", "application/json")
    api.objects.write(keys.result_key(customer_id, outcome.result_id, "extract-page.json"), b"{}", "application/json")
    api.objects.write(keys.result_image_key(customer_id, outcome.result_id, 0), b"png", "image/png")
    api.finish_all(batch_id, outcome, *[failed() for _ in file_ids[1:]])
    return batch_id


@BOTH
async def test_after_deleting_all_that_there_is_no_byte_of_it_is_left_in_storage(api: Api) -> None:
    first = await api.upload(b"bytes", filename="the secret name.pdf")
    second = await api.upload(b"other", filename="the second name.pdf")
    batch_id = await worked_off(api, [first, second])
    api.service.archive.catch_up()
    before = everything(api)
    assert b"the secret name" in before
    assert batch_id.encode() in before
    assert (await api.http.delete(f"/v1/batches/{batch_id}")).status_code == 204
    for file_id in (first, second):
        assert (await api.http.delete(f"/v1/files/{file_id}")).status_code == 204
    assert stored(api, "in/") == stored(api, "results/") == stored(api, keys.BATCHES) == []
    assert stored(api, keys.STAGED_FILES) == []
    after = everything(api)
    assert b"secret" not in after
    assert first.encode() not in after
    used = [key for key in stored(api, "ledger/") if batch_id.encode() in api.objects.read(key, max_bytes=10**6)]
    assert all(key.startswith(keys.KEPT_USAGE) for key in used), "what was billed stays, and nothing else"


@BOTH
async def test_a_deleted_batch_is_a_404_like_one_that_never_was(api: Api) -> None:
    file_id = await api.upload()
    batch_id = await worked_off(api, [file_id])
    (item,) = api.items(batch_id)
    assert (await api.http.delete(f"/v1/batches/{batch_id}")).content == b""
    never = "batch_" + "0" * 26
    for method, path in (
        ("GET", ""),
        ("DELETE", ""),
        ("POST", "/cancel"),
        ("GET", f"/items/{item.item_id}/result"),
    ):
        gone = await api.http.request(method, f"/v1/batches/{batch_id}{path}")
        unknown = await api.http.request(method, f"/v1/batches/{never}{path}")
        assert gone.status_code == unknown.status_code == 404
        assert gone.text.replace(batch_id, never) == unknown.text
    assert (await api.http.get("/v1/batches")).json()["data"] == []
    assert (await api.http.get(f"/v1/files/{file_id}")).json()["status"] == "ready", "its files are not touched"
    assert api.ledger.billing.pages_used(api.customer.customer_id) == 3


@BOTH
async def test_a_deleted_file_is_a_404_like_one_that_never_was(api: Api) -> None:
    file_id = await api.upload()
    assert (await api.http.delete(f"/v1/files/{file_id}")).status_code == 204
    never = "file_" + "0" * 26
    for method in ("GET", "DELETE"):
        gone = await api.http.request(method, f"/v1/files/{file_id}")
        unknown = await api.http.request(method, f"/v1/files/{never}")
        assert gone.status_code == unknown.status_code == 404
        assert gone.text.replace(file_id, never) == unknown.text
    refused = await api.submit([file_id])
    assert (refused.status_code, refused.json()["file_ids"]) == (404, [file_id])


@BOTH
async def test_a_batch_that_has_not_ended_is_a_conflict_that_tells_its_status(api: Api) -> None:
    batch_id = await api.batch(2)
    answer = await api.http.delete(f"/v1/batches/{batch_id}")
    assert (answer.status_code, answer.json()["error"], answer.json()["status"]) == (
        409,
        "batch_not_finished",
        "pending",
    )
    assert "cancel" in answer.json()["message"]
    await api.http.post(f"/v1/batches/{batch_id}/cancel")
    assert (await api.http.delete(f"/v1/batches/{batch_id}")).status_code == 204


@BOTH
async def test_a_file_in_work_is_a_conflict_that_names_the_batches(api: Api) -> None:
    file_id = await api.upload()
    batch_id = (await api.submit([file_id])).json()["id"]
    answer = await api.http.delete(f"/v1/files/{file_id}")
    assert (answer.status_code, answer.json()["error"], answer.json()["batch_ids"]) == (
        409,
        "file_in_use",
        [batch_id],
    )
    assert len(stored(api, "in/")) == 1


async def test_another_customers_things_are_not_found_and_stay(api: Api) -> None:
    file_id = await api.upload()
    batch_id = await worked_off(api, [file_id])
    stranger = api.stranger()
    assert (await stranger.delete(f"/v1/files/{file_id}")).json()["error"] == "file_not_found"
    assert (await stranger.delete(f"/v1/batches/{batch_id}")).json()["error"] == "batch_not_found"
    assert (await api.http.get(f"/v1/files/{file_id}")).json()["status"] == "ready"
    assert (await api.http.get(f"/v1/batches/{batch_id}")).status_code == 200


@BOTH
async def test_the_key_of_a_deleted_batch_makes_a_new_one(api: Api) -> None:
    file_id = await api.upload()
    batch_id = await worked_off(api, [file_id], **{"Idempotency-Key": "monday"})
    await api.http.delete(f"/v1/batches/{batch_id}")
    assert await worked_off(api, [file_id], **{"Idempotency-Key": "monday"}) != batch_id


async def test_what_is_deleted_while_storage_is_down_goes_as_soon_as_it_is_back(api: Api) -> None:
    file_id = await api.upload()
    batch_id = await worked_off(api, [file_id])
    api.objects.available = False
    assert (await api.http.delete(f"/v1/batches/{batch_id}")).status_code == 204
    assert (await api.http.delete(f"/v1/files/{file_id}")).status_code == 204
    api.objects.available = True
    assert len(stored(api, "results/")) == 3
    api.service.retention.expiry.look()
    assert stored(api, "in/") == stored(api, "results/") == []


async def test_a_pending_file_can_be_deleted_before_its_upload(api: Api) -> None:
    staged = await api.stage()
    assert (await api.http.delete(f"/v1/files/{staged['id']}")).status_code == 204
    assert (await api.http.get(f"/v1/files/{staged['id']}")).status_code == 404


@pytest.mark.parametrize("ends_first", [False, True])
async def test_a_run_that_ends_beside_the_deletion_of_its_batch_ends_in_peace(api: Api, ends_first: bool) -> None:
    file_id = await api.upload()
    batch_id = (await api.submit([file_id])).json()["id"]
    api.ledger.runs.name(batch_id, api.ledger.runs.add(batch_id).run_no, RunId(RUN))
    api.ledger.runs.open(RunId(RUN), WORKER)
    api.finish_all(batch_id, succeeded())
    worker = api.worker()
    if ends_first:
        await worker.post("/internal/runs/end", json={"run_id": RUN})
    await api.http.delete(f"/v1/batches/{batch_id}")
    assert (await worker.post("/internal/runs/end", json={"run_id": RUN})).status_code == 200
    summary = await worker.post("/internal/runs/summary", json={"run_id": RUN})
    assert (summary.status_code, summary.json()["unfinished"]) == (200, 0)


# What the flow `expire` asks for


@BOTH
async def test_old_records_are_forgotten_at_a_worker_s_word_until_none_is_left(api: Api) -> None:
    api.clock.shift = -timedelta(days=100)
    batch_id = await api.batch(2)
    api.finish_all(batch_id, succeeded(), failed())
    api.clock.shift = timedelta()
    young = await api.batch()
    worker = api.worker()
    assert (await worker.post("/internal/forget")).json()["batches"] == 1
    assert (await worker.post("/internal/forget")).json() == {"batches": 0, "files": 0}
    assert [batch.batch_id for batch in api.batches()] == [young]
    assert api.ledger.billing.pages_used(api.customer.customer_id) == 1


async def test_orphans_are_swept_at_a_worker_s_word_and_never_beside_another_ledger(api: Api) -> None:
    file_id = await api.upload()
    (key,) = stored(api, "in/")
    await api.http.delete(f"/v1/files/{file_id}")
    api.objects.write(key, b"bytes", "application/pdf")
    shown = [
        {"key": info.key, "size": info.size, "last_modified": info.last_modified.isoformat()}
        for info in api.objects.list("in/")
    ]
    worker = api.worker()
    api.objects.delete([keys.ARCHIVE_IDENTITY])
    refused = (await worker.post("/internal/sweep", json={"stored": shown})).json()
    assert (refused["deleted"], bool(refused["objection"])) == (0, True)
    api.objects.write(
        keys.ARCHIVE_IDENTITY,
        f'{{"format": 1, "ledger_id": "{api.ledger.archive.identity().ledger_id}"}}'.encode(),
        "application/json",
    )
    done = (await worker.post("/internal/sweep", json={"stored": shown})).json()
    assert done == {"deleted": 1, "objection": None}
    assert stored(api, "in/") == []


async def test_nobody_but_a_worker_may_sweep_or_forget(api: Api) -> None:
    for path in ("sweep", "forget"):
        assert (await api.http.post(f"/internal/{path}", json={"stored": []})).status_code == 401
