"""A data directory filled by an earlier version opens: all is readable, work goes on, nothing is billed twice.

The directories and what fills them are in `upgrade/`.
"""

import contextlib
import json
import secrets
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import Any

import httpx
import pytest

from octavo.directory import DataDirectory, free_port
from tests.acceptance.stack import ENDED, Stack, wait_for
from tests.acceptance.upgrade import packed
from tests.webhook_receiver import Receiver, receiving

PORT_SECONDS = 60.0
END_SECONDS = 90.0
Json = dict[str, Any]


@dataclass(frozen=True)
class Opened:
    """A stack of today on a directory of before, and what was in it."""

    stack: Stack
    found: packed.Found
    receiver: Receiver
    customers: dict[str, httpx.Client]

    def ask(self, customer: str, path: str, **params: str | int) -> Json:
        answer = self.customers[customer].get(path, params=params)
        assert answer.status_code == 200, f"{path}: {answer.status_code} {answer.text}"
        found: Json = answer.json()
        return found

    def admin(self, path: str) -> Json:
        token = DataDirectory(self.stack.data).kept_secret("admin_token")
        headers = {"Authorization": f"Bearer {token}"}
        answer = httpx.get(self.stack.internal_url + path, headers=headers, trust_env=False, timeout=60)
        assert answer.status_code == 200, answer.text
        found: Json = answer.json()
        return found

    def batches(self, *, ended: bool) -> Iterator[tuple[str, str, Json]]:
        """Yield customer, what it is for and what is known of each batch that is kept."""
        for customer, known in self.found["customers"].items():
            for what, batch in known["batches"].items():
                if customer != "brief" and ("batch" in batch) is ended:
                    yield customer, what, batch

    def batch_id(self, customer: str, what: str) -> str:
        return str(self.found["customers"][customer]["batches"][what]["id"])

    def wait_until_ended(self, customer: str, batch_id: str) -> Json:
        def look() -> Json | None:
            found = self.ask(customer, f"/v1/batches/{batch_id}", limit=500)
            return found if found["status"] in ENDED else None

        return wait_for(look, limit=END_SECONDS, what=f"the end of {batch_id} of {customer}")


@pytest.fixture(scope="module", params=packed.archives(), ids=lambda path: path.name.removesuffix(packed.SUFFIX))
def opened(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Opened]:
    folder = tmp_path_factory.mktemp("upgrade")
    found = packed.unpack(request.param, folder)
    stack = Stack(folder / "data", free_port())
    # Its ports may be taken on this machine.
    DataDirectory(stack.data).write_notes(storage_port=str(free_port()), prefect_port=str(free_port()))
    with contextlib.ExitStack() as ending:
        receiver = ending.enter_context(receiving_at_the_kept_address())
        ending.callback(stack.stop)
        stack.start()
        customers = {
            name: ending.enter_context(
                httpx.Client(base_url=stack.url, headers={"X-API-KEY": known["key"]}, trust_env=False, timeout=60)
            )
            for name, known in found["customers"].items()
        }
        yield Opened(stack, found, receiver, customers)


@contextlib.contextmanager
def receiving_at_the_kept_address() -> Iterator[Receiver]:
    """Serve the receiver where the webhooks point; another run of these tests on this machine is waited for."""
    with contextlib.ExitStack() as ending:

        def bind() -> Receiver | None:
            with contextlib.suppress(OSError):
                return ending.enter_context(receiving(packed.PORT, host=packed.HOST))
            return None

        yield wait_for(bind, limit=PORT_SECONDS, what=f"{packed.HOST}:{packed.PORT} being free")


def holds(found: object, known: object) -> bool:
    """Tell whether all that was known is there still; what was added since does not count."""
    if isinstance(known, dict):
        return isinstance(found, dict) and all(name in found and holds(found[name], known[name]) for name in known)
    if isinstance(known, list):
        return isinstance(found, list) and len(found) == len(known) and all(map(holds, found, known))
    return found == known


def test_what_had_ended_is_told_as_before(opened: Opened) -> None:
    for customer, what, known in opened.batches(ended=True):
        found = opened.ask(customer, f"/v1/batches/{known['id']}", limit=500)
        assert holds(found, known["batch"]), (what, found, known["batch"])
        for item in known["batch"]["items"]:
            assert opened.ask(customer, f"/v1/files/{item['file_id']}")["status"] == "ready"


def test_every_result_is_read_in_every_format(opened: Opened) -> None:
    seen = 0
    for customer, what, known in opened.batches(ended=True):
        for item_id, was in known["results"].items():
            path = f"/v1/batches/{known['id']}/items/{item_id}/result"
            answers = {
                kind: opened.customers[customer].get(path, params={"format": kind}, follow_redirects=True)
                for kind in was
            }
            assert {answer.status_code for answer in answers.values()} == {200}, what
            assert holds(answers["json"].json(), json.loads(was["json"])), (what, answers["json"].text)
            for line in was["markdown"].splitlines():
                assert line in answers["markdown"].text, (what, line)
            assert answers["html"].text.lower().startswith("<!doctype html>"), what
            seen += 1
    assert seen >= 10


def test_figures_are_in_results_that_had_them_and_in_no_others(opened: Opened) -> None:
    batches = opened.found["customers"]["harbour"]["batches"]
    (report,) = (item for item in batches["completed"]["batch"]["items"] if item["position"] == 0)
    (bare,) = batches["without images"]["batch"]["items"]
    pages = {
        item["id"]: opened.customers["harbour"].get(item["result_url"], params={"format": "html"}).text
        for item in (report, bare)
    }
    assert "data:image/png" in pages[report["id"]]
    assert "data:image/png" not in pages[bare["id"]]


@pytest.mark.parametrize("width", [400, 500], ids=["kept", "drawn now"])
def test_a_page_is_shown(opened: Opened, width: int) -> None:
    batch = opened.found["customers"]["harbour"]["batches"]["completed"]["batch"]
    (report,) = (item for item in batch["items"] if item["position"] == 0)
    path = f"/v1/batches/{batch['id']}/items/{report['id']}/pages/2/image"
    answer = opened.customers["harbour"].get(path, params={"width": width}, follow_redirects=True)
    assert answer.content.startswith(b"\x89PNG"), answer.text


def test_exports_hold_every_result(opened: Opened) -> None:
    for customer, what, known in opened.batches(ended=True):
        path = f"/v1/batches/{known['id']}/results"
        lines = opened.customers[customer].get(path, params={"format": "jsonl"}).text.splitlines()
        rows = {row["item"]["id"]: row["result"] for row in map(json.loads, lines)}
        assert len(rows) == known["batch"]["total_items"], what
        assert {item_id for item_id, result in rows.items() if result is not None} == set(known["results"]), what
        zipped = opened.customers[customer].get(path, params={"format": "zip"}).content
        with zipfile.ZipFile(BytesIO(zipped)) as archive:
            assert len(archive.namelist()) == len(known["results"]) + 1, what


def test_every_batch_is_listed_page_by_page(opened: Opened) -> None:
    for customer, known in opened.found["customers"].items():
        listed: set[str] = set()
        cursor: str | None = None
        while page := opened.ask(customer, "/v1/batches", limit=2, **({"cursor": cursor} if cursor else {})):
            listed |= {batch["id"] for batch in page["data"]}
            if (cursor := page["next_cursor"]) is None:
                break
        assert listed >= {batch["id"] for batch in known["batches"].values()}, customer


def test_accounts_and_keys_are_as_they_were(opened: Opened) -> None:
    assert holds(opened.admin("/admin/customers")["data"], opened.found["accounts"])
    statuses = {
        name: httpx.post(
            f"{opened.stack.url}/v1/files",
            json={"filename": "a.txt", "size_bytes": 1},
            headers={"X-API-KEY": opened.found[name]},
            trust_env=False,
        ).status_code
        for name in ("revoked_key", "uploads_only_key")
    }
    assert statuses == {"revoked_key": 401, "uploads_only_key": 200}
    assert opened.ask("mill", "/v1/usage")["quota"]["limit"] == 5000


def test_work_goes_on_to_its_end_and_what_was_done_is_not_done_again(opened: Opened) -> None:
    before = {item["item_id"]: item for item in opened.found["unfinished"]}
    assert {item["status"] for item in before.values()} >= {"pending", "running", "succeeded"}
    for customer, what, known in opened.batches(ended=False):
        found = opened.wait_until_ended(customer, known["id"])
        items = {item["id"]: item for item in found["items"]}
        assert set(items) == {item_id for item_id, item in before.items() if item["batch_id"] == known["id"]}
        for item_id, item in items.items():
            was = before[item_id]["status"]
            assert item["status"] in {was} if was in ENDED | {"succeeded"} else {"succeeded", "failed", "cancelled"}
        expected = {
            ("mill", "running"): {"succeeded": 12, "failed": 0, "cancelled": 0},
            ("harbour", "running"): {"succeeded": 7, "failed": 1, "cancelled": 0},
        }.get((customer, what))
        if expected is not None:
            assert holds(found["counts"], expected), (customer, what, found["counts"])
        else:
            assert found["counts"]["cancelled"] >= 1, what


def test_a_long_document_goes_on_where_its_pages_were_kept(opened: Opened) -> None:
    batch = opened.wait_until_ended("harbour", opened.batch_id("harbour", "running"))
    (long,) = (item for item in batch["items"] if item["position"] == 0)
    assert (long["status"], long["attempts"]) == ("succeeded", 2), long
    answer = opened.customers["harbour"].get(long["result_url"], follow_redirects=True).json()
    readers = [chunk["page_content"] for chunk in answer["chunks"]]
    of_first = readers.count(readers[0])
    assert len(readers) == long["page_count"] > of_first >= 1
    assert readers == [readers[0]] * of_first + [readers[-1]] * (len(readers) - of_first), "no page was read twice"


def test_deliveries_that_waited_are_sent_and_verify(opened: Opened) -> None:
    webhook = opened.found["webhooks"]["waiting"]
    known = opened.found["customers"]["harbour"]["deliveries"][webhook["id"]]
    # What was to be told of a batch that was deleted since is not sent.
    kept = {batch["id"] for batch in opened.found["customers"]["harbour"]["batches"].values()}
    waiting = {one["id"] for one in known if one["status"] == "pending" and one["batch_id"] in kept}
    assert len(waiting) >= 5
    wait_for(
        lambda: waiting <= {message.id for message in opened.receiver.at("/waiting")}, limit=60, what="all deliveries"
    )
    for message in opened.receiver.at("/waiting"):
        message.verify(webhook["secret"])
    path = f"/v1/webhooks/{webhook['id']}/deliveries"

    def unsent() -> list[Json]:
        found = opened.ask("harbour", path, limit=100)["data"]
        return [one for one in found if one["id"] in waiting and one["status"] != "delivered"]

    wait_for(lambda: not unsent(), limit=20, what="deliveries that are over")
    once = [message.id for message in opened.receiver.at("/waiting") if message.id in waiting]
    assert len(once) == len(set(once)), "none is sent twice"


def test_what_was_told_is_not_told_again_and_what_ends_now_is_told(opened: Opened) -> None:
    running = opened.batch_id("mill", "running")
    opened.wait_until_ended("mill", running)
    told = opened.found["webhooks"]["told"]
    wait_for(
        lambda: running in {message.event["data"].get("id") for message in opened.receiver.at("/told")},
        limit=60,
        what="the message about a batch that went on",
    )
    deliveries = opened.found["customers"]["mill"]["deliveries"][told["id"]]
    assert not {one["id"] for one in deliveries} & {message.id for message in opened.receiver.at("/told")}
    assert not opened.receiver.at("/gone"), "a webhook that was switched off stays so"


def test_nothing_is_billed_twice(opened: Opened) -> None:
    done: list[Json] = []
    for customer, _, known in opened.batches(ended=False):
        done += opened.wait_until_ended(customer, known["id"])["items"]
    before = {row["item_id"]: row["pages"] for row in opened.found["usage"]}
    since = {
        item["id"]: item["page_count"] for item in done if item["status"] == "succeeded" and item["id"] not in before
    }
    assert since
    ours = {customer["id"] for customer in opened.found["accounts"]}
    days = opened.admin("/admin/usage?from=2026-01-01&to=2126-01-01")["data"]
    days = [day for day in days if day["customer_id"] in ours]
    assert sum(day["items"] for day in days) == len(before) + len(since)
    assert sum(day["pages"] for day in days) == sum(before.values()) + sum(since.values())
    assert opened.admin("/admin/usage/audit")["differences"] == []


def test_what_had_its_time_goes(opened: Opened) -> None:
    (batch,) = opened.found["customers"]["brief"]["batches"].values()
    (item,) = batch["batch"]["items"]
    answer = opened.customers["brief"].get(f"/v1/batches/{batch['id']}/items/{item['id']}/result")
    assert (answer.status_code, answer.json()["error"]) == (410, "result_expired")
    (customer_id,) = (one["id"] for one in opened.found["accounts"] if one["name"] == "brief")
    objects = opened.stack.data / "objects" / "octavo"

    def left() -> list[Path]:
        rooms = [objects / "in" / customer_id, objects / "results" / customer_id]
        return [path for room in rooms for path in room.rglob("*") if path.is_file()]

    wait_for(lambda: not left(), limit=30, what="nothing left of what has expired")


def test_prefect_shows_the_runs_of_before_and_none_that_is_lost(opened: Opened) -> None:
    completed = opened.batch_id("harbour", "completed")
    assert [run["state"]["type"] for run in opened.stack.flow_runs(completed)] == ["COMPLETED"]
    for customer, _, known in opened.batches(ended=False):
        opened.wait_until_ended(customer, known["id"])
        wait_for(
            lambda batch_id=known["id"]: all(  # type: ignore[misc]
                run["state"]["type"] in {"COMPLETED", "CRASHED", "CANCELLED"}
                for run in opened.stack.flow_runs(batch_id)
            ),
            limit=60,
            what="an end of every flow run",
        )


def test_a_file_that_waited_is_submitted_and_failed_items_are_tried_again(opened: Opened) -> None:
    client, files = opened.customers["harbour"], opened.found["files"]
    assert opened.ask("harbour", f"/v1/files/{files['expected']}")["status"] != "ready"
    body = {"source": {"type": "files", "file_ids": [files["uploaded"]]}, "engine": "fast"}
    made = client.post("/v1/batches", json=body, headers={"Idempotency-Key": secrets.token_hex(8)})
    assert made.status_code == 200, made.text
    (item,) = opened.wait_until_ended("harbour", made.json()["id"])["items"]
    assert item["status"] == "succeeded"
    assert client.delete(f"/v1/batches/{made.json()['id']}").status_code == 204
    # Last of all: from here on the batch is not as it was.
    failed = opened.batch_id("harbour", "failed")
    assert client.post(f"/v1/batches/{failed}/retry_failed").json()["retried"] == 1
    (item,) = opened.wait_until_ended("harbour", failed)["items"]
    assert (item["status"], item["attempts"]) == ("failed", 2)
