"""A body of more values than can be read at once is refused by a count, which strings do not deceive."""

import json
import threading

import pytest

from api.http import json_bodies
from api.http.json_bodies import IN_THREAD_BYTES, MOST_VALUES, check_values
from octavo.errors import RequestTooLarge
from tests.unit.api.service import Api

HEAVY = {
    "lists": b"[" + b",".join([b"[]"] * MOST_VALUES) + b"]",
    "objects": b"[" + b",".join([b"{}"] * MOST_VALUES) + b"]",
    "numbers": b"[" + b",".join([b"0"] * (MOST_VALUES + 2)) + b"]",
    "deep": b"[" * (MOST_VALUES + 1),
    "strings": b"[" + b",".join([b'""'] * (MOST_VALUES + 2)) + b"]",
    "keys": b"{" + b",".join([b'"":0'] * (MOST_VALUES + 2)) + b"}",
    "behind an escaped quote": b'["\\\\",' + b",".join([b"[]"] * MOST_VALUES) + b"]",
}


@pytest.mark.parametrize("kind", HEAVY)
def test_a_body_of_too_many_values_is_refused(kind: str) -> None:
    with pytest.raises(RequestTooLarge):
        check_values(HEAVY[kind])


@pytest.mark.parametrize("text", [",[{" * MOST_VALUES, '",[{\\' * 50_000, '\\"[' * 100_000])
def test_what_stands_in_a_string_is_no_value(text: str) -> None:
    check_values(json.dumps({"text": text, "more": [1, 2, {"a": text}]}).encode())


def test_ten_thousand_files_with_every_field_are_far_below_it() -> None:
    one = {"filename": "a, b [c] {d}.pdf" * 9, "size_bytes": 10, "content_type": "application/pdf", "sha256": "0" * 64}
    check_values(json.dumps({"files": [one] * 10_000}).encode())


@pytest.mark.anyio
@pytest.mark.parametrize("path", ["/v1/batches", "/v1/files"])
async def test_it_is_answered_as_too_large(api: Api, path: str) -> None:
    answer = await api.http.post(path, content=HEAVY["lists"], headers={"Content-Type": "application/json"})
    assert (answer.status_code, answer.json()["error"]) == (413, "request_too_large")
    assert str(MOST_VALUES) in answer.json()["message"]


@pytest.mark.anyio
async def test_a_long_body_is_read_off_the_event_loop(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    readers: list[str] = []
    read = json_bodies.parse

    def noted(body: bytes) -> object:
        readers.append(threading.current_thread().name)
        return read(body)

    monkeypatch.setattr(json_bodies, "parse", noted)
    for size in (100, IN_THREAD_BYTES + 1):
        content = b"{}".ljust(size)
        await api.http.post("/v1/batches", content=content, headers={"Content-Type": "application/json"})
    assert readers[0] == threading.current_thread().name
    assert readers[1] != readers[0]


def test_a_deep_body_is_refused_on_a_thread_as_well() -> None:
    told: list[str] = []

    def read() -> None:
        try:
            json_bodies.parse(b"[" * 150_000 + b"]" * 150_000)
        except json.JSONDecodeError as error:
            told.append(error.msg)

    thread = threading.Thread(target=read)
    thread.start()
    thread.join()
    assert told == ["Nested too deep"]
