"""`octavo fetch` is `octavo submit` continued: the same names, and only what is missing."""

import json
import os
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import pytest

from octavo.client.customer import CustomerClient
from octavo.client.inputs import find_inputs
from octavo.client.results_folder import ItemEnd
from octavo.client.submission import Progress, fetch, submit
from octavo.identifiers import BatchId
from tests.unit.client.stack import Stack
from tests.unit.client.test_submission import Answer, Wires, work_off

NAMES = [b"-rf.pdf", b"a\nb.pdf", b"caf\xe9.pdf", b"deep/a.pdf", "é.pdf".encode(), b"x" * 251 + b".pdf"]
"""All succeed: `work_off` fails every second, and each of these is followed by one that it may fail."""


def interrupted(_: ItemEnd) -> None:
    raise KeyboardInterrupt


def progress(
    on_submitted: Callable[[dict[str, Any]], None] = lambda _: None,
    on_ended: Callable[[ItemEnd], None] = lambda _: None,
) -> Progress:
    return Progress(uploaded=lambda _: None, submitted=on_submitted, changed=lambda _: None, ended=on_ended)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    made = tmp_path / "in"
    for name in NAMES:
        path = made / os.fsdecode(name)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"document " + name)
        # Sorted behind it, so that it has the odd position.
        path.with_name(path.name[:200] + "~fails").write_bytes(b"document that fails")
    return made


class Wired:
    """Clients of one stack, with a count of the results that each fetched."""

    def __init__(self, stack: Stack) -> None:
        self.stack = stack
        self.fetched: Counter[str] = Counter()
        self.submitted: list[str] = []

    def client(self, before: Answer = lambda _: None) -> CustomerClient:
        def counted(request: httpx.Request) -> httpx.Response | None:
            if request.url.path.endswith("/result"):
                self.fetched[request.url.path] += 1
            return before(request)

        return CustomerClient(self.stack.url, self.stack.key, transport=Wires(self.stack.objects, counted))

    def on_submitted(self, batch: dict[str, Any]) -> None:
        self.submitted.append(batch["id"])
        while self.stack.shown(BatchId(batch["id"])).completed_at is None:
            work_off(self.stack, BatchId(batch["id"]))


def results(out: Path) -> set[str]:
    return {str(path.relative_to(out)) for path in out.rglob("*.json")}


def rows(out: Path) -> dict[str, dict[str, Any]]:
    found = [json.loads(line) for line in (out / "items.jsonl").read_text().splitlines()]
    assert len({row["file"] for row in found}) == len(found), "one line for each file"
    return {row["file"]: row for row in found}


def test_names_of_any_bytes_survive_on_the_way_through_the_service(stack: Stack, folder: Path, tmp_path: Path) -> None:
    wired, out = Wired(stack), tmp_path / "out"
    with wired.client() as client:
        ends = submit(client, find_inputs([folder]), out, engine=None, progress=progress(wired.on_submitted))
    assert {end.input.name for end in ends if end.status == "succeeded"} == {os.fsdecode(name) for name in NAMES}
    for end in ends:
        assert (end.result is not None and end.result.is_file()) == (end.status == "succeeded")
    assert (out / os.fsdecode(b"caf\xe9.pdf.json")).is_file()
    assert r"caf\xe9.pdf" in rows(out)


@pytest.mark.parametrize("elsewhere", [False, True], ids=["in the same folder", "in another folder"])
def test_an_interrupted_submission_is_continued_with_the_same_names(
    stack: Stack, folder: Path, tmp_path: Path, elsewhere: bool
) -> None:
    wired, whole, out = Wired(stack), tmp_path / "whole", tmp_path / "out"
    with wired.client() as client:
        submit(client, find_inputs([folder]), whole, engine=None, progress=progress(wired.on_submitted))
        with pytest.raises(KeyboardInterrupt):
            submit(client, find_inputs([folder]), out, engine=None, progress=progress(wired.on_submitted, interrupted))
        batch_id = wired.submitted[-1]
        target = tmp_path / "other" if elsewhere else out
        ends = fetch(client, batch_id, target, progress())
    assert results(target) == results(whole)
    assert {end.batch_id for end in ends} == {batch_id}
    assert [end.position for end in ends] == list(range(2 * len(NAMES)))
    assert set(rows(target)) == set(rows(whole))


def test_only_what_is_missing_is_fetched(stack: Stack, folder: Path, tmp_path: Path) -> None:
    wired, out = Wired(stack), tmp_path / "out"
    with wired.client() as client:
        first = submit(client, find_inputs([folder]), out, engine=None, progress=progress(wired.on_submitted))
        (batch_id,) = wired.submitted
        assert sum(wired.fetched.values()) == len(NAMES)
        shown: list[ItemEnd] = []
        assert fetch(client, batch_id, out, progress(on_ended=shown.append)) == sorted(
            first, key=lambda end: end.position or 0
        )
        assert len(shown) == len(first), "what is here already counts as progress"
        assert sum(wired.fetched.values()) == len(NAMES)
        (out / "deep" / "a.pdf.json").unlink()
        fetch(client, batch_id, out, progress())
    assert sum(wired.fetched.values()) == len(NAMES) + 1
    assert (out / "deep" / "a.pdf.json").is_file()


def test_a_result_that_has_expired_does_not_keep_the_others_back(stack: Stack, folder: Path, tmp_path: Path) -> None:
    wired, gone = Wired(stack), ["first"]

    def expired(request: httpx.Request) -> httpx.Response | None:
        is_first = request.url.path.endswith("/result") and gone and gone.pop()
        body = {"error": "result_expired", "message": "The result has expired."}
        return httpx.Response(410, json=body) if is_first else None

    with wired.client(expired) as client:
        ends = submit(client, find_inputs([folder]), tmp_path, engine=None, progress=progress(wired.on_submitted))
    (lost,) = (end for end in ends if end.status == "succeeded" and end.result is None)
    assert lost.error is not None
    assert lost.error["code"] == "result_expired"
    assert len(results(tmp_path)) == len(NAMES) - 1


def test_a_file_that_vanishes_or_becomes_a_pipe_ends_alone(stack: Stack, folder: Path, tmp_path: Path) -> None:
    wired, out, inputs = Wired(stack), tmp_path / "out", find_inputs([folder])
    (folder / "-rf.pdf").unlink()
    (folder / "é.pdf").unlink()
    os.mkfifo(folder / "é.pdf")
    with wired.client() as client:
        ends = submit(client, inputs, out, engine=None, progress=progress(wired.on_submitted))
    codes = {end.input.name: (end.error or {}).get("code") for end in ends}
    assert (codes["-rf.pdf"], codes["é.pdf"]) == ("unreadable_file", "unreadable_file")
    assert len(ends) == len(inputs)
    assert len(results(out)) >= 2


def test_a_file_that_changes_during_its_upload_is_sent_as_it_is_then(stack: Stack, tmp_path: Path) -> None:
    wired, path = Wired(stack), tmp_path / "a.pdf"
    path.write_bytes(b"short")
    changes = ["once"]

    def grown(request: httpx.Request) -> httpx.Response | None:
        if request.method == "PUT" and changes and changes.pop():
            with path.open("ab") as stream:
                stream.write(b" and more")
        return None

    with wired.client(grown) as client:
        (end,) = submit(
            client, find_inputs([path]), tmp_path / "out", engine=None, progress=progress(wired.on_submitted)
        )
    assert end.status == "succeeded"
    (item,) = stack.items(BatchId(end.batch_id))
    assert item.file_id is not None
    (file,) = stack.ledger.files.find(stack.customer.customer_id, [item.file_id]).values()
    assert file.size_bytes == len(b"short and more")
    assert stack.objects.read(file.object_key, max_bytes=100) == b"short and more"
