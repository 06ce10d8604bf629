"""All eight error codes of an item, each reached with real bytes through a whole stack, and limits at submission."""

import secrets
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

import pytest

from octavo import samples
from octavo.client.customer import CustomerClient, Refused, Staged
from octavo.engines.drawing import Sheets
from octavo.errors import DOCUMENT_ERRORS
from octavo.objects.embedded import load_keys
from octavo.objects.s3 import S3Objects, S3Settings
from tests.acceptance.stack import Batch, Stack, run_octavo

MAX_PAGES = 1000
MAX_FILE_BYTES = 150 * 1024 * 1024
MAX_FILES = 10_000
reached: set[str] = set()
"""The codes that the tests of this file have seen."""


def make_pages(path: Path, pages: int) -> Path:
    sheets = Sheets()
    for _ in range(pages):
        sheets.page()
    sheets.save(path)
    return path


def upload(client: CustomerClient, path: Path) -> Staged:
    staged = client.stage(path)
    client.upload(staged, path)
    return staged


def submit(client: CustomerClient, *staged: Staged, engine: str | None = None) -> Batch:
    file_ids = [one.file_id for one in staged]
    return Batch(client, client.submit(file_ids, engine=engine, idempotency_key=secrets.token_hex(8))["id"])


def items(batch: Batch, *, limit: float = 80.0) -> list[dict[str, Any]]:
    """The items of a batch by position, once it has ended; what they failed with is noted."""
    found: list[dict[str, Any]] = sorted(batch.wait_until_ended(limit=limit)["items"], key=lambda one: one["position"])
    reached.update(one["error"]["code"] for one in found if one["error"])
    return found


def error_of(item: dict[str, Any]) -> tuple[str, bool]:
    assert item["status"] == "failed"
    assert item["result_url"] is None
    assert len(item["error"]["message"]) > 15
    return item["error"]["code"], item["error"]["retryable"]


def delete_behind_our_back(stack: Stack, staged: Staged) -> None:
    """Take the bytes of a file out of the bucket, with the keys of the storage server."""
    keys, url = load_keys(stack.data / "secrets" / "storage_keys"), urlsplit(staged.upload_url)
    bucket, _, key = unquote(url.path).lstrip("/").partition("/")
    endpoint = f"{url.scheme}://{url.netloc}"
    objects = S3Objects(
        S3Settings(
            endpoint_url=endpoint,
            public_url=endpoint,
            bucket=bucket,
            access_key=keys.access_key,
            secret_key=keys.secret_key,
            region="us-east-1",
        )
    )
    assert objects.sizes([key], time_limit_seconds=10)
    objects.delete([key])


@contextmanager
def worker_with(stack: Stack, settings: str) -> Iterator[None]:
    """Have the worker of a stack live with other settings for a while; the API keeps its own."""
    file = stack.data / "octavo.toml"
    file.write_text(settings)
    stack.strike("worker", signal.SIGTERM)
    try:
        yield
    finally:
        file.unlink()
        stack.strike("worker", signal.SIGTERM)
        stack.wait_until_healthy()


def test_what_a_document_itself_can_be_blamed_for(stack: Stack, tmp_path: Path) -> None:
    note, damaged = tmp_path / "note.pdf", tmp_path / "damaged.pdf"
    samples.make_text_named_pdf(note)
    samples.make_damaged(damaged)
    longest, too_long = make_pages(tmp_path / "1000.pdf", MAX_PAGES), make_pages(tmp_path / "1001.pdf", MAX_PAGES + 1)
    with stack.customer() as client:
        found = items(submit(client, *[upload(client, path) for path in (note, damaged, too_long, longest)]))
        assert [error_of(item) for item in found[:3]] == [
            ("unsupported_input", False),
            ("extraction_failed", False),
            ("page_limit_exceeded", False),
        ]
        assert (found[3]["status"], found[3]["page_count"]) == ("succeeded", MAX_PAGES)


def test_a_file_that_vanished_from_storage_behind_our_back(stack: Stack, tmp_path: Path) -> None:
    path = tmp_path / "letter.pdf"
    samples.make_report(path)
    with stack.customer() as client:
        staged = upload(client, path)
        # Seen by the API, so that the submission does not look again.
        assert client.filename(staged.file_id) == path.name
        delete_behind_our_back(stack, staged)
        (item,) = items(submit(client, staged))
        assert error_of(item) == ("upload_missing", False)


def test_trouble_that_is_not_the_documents(stack: Stack, tmp_path: Path) -> None:
    with stack.customer() as client:
        staged = []
        for word in ("ocr_provider_error", "killed"):
            path = tmp_path / f"{word}.txt"
            path.write_text(word)
            staged.append(upload(client, path))
        ocr, killed = items(submit(client, *staged, engine="failing"))
        assert error_of(ocr) == ("ocr_provider_error", True)
        assert ocr["attempts"] == 3
        assert error_of(killed) == ("internal_error", True)


def test_a_document_over_the_cap_of_the_worker(stack: Stack, tmp_path: Path) -> None:
    path = tmp_path / "report.pdf"
    samples.make_report(path)
    with stack.customer() as client:
        staged = upload(client, path)
        # An operator has lowered the cap after the file was staged.
        with worker_with(stack, "[limits]\nmax_file_bytes = 1000\n"):
            (item,) = items(submit(client, staged))
        assert error_of(item) == ("document_too_large", False)
        (item,) = items(submit(client, staged))
        assert item["status"] == "succeeded"


def test_a_document_over_the_page_quota(stack: Stack, tmp_path: Path) -> None:
    path = tmp_path / "report.pdf"
    samples.make_report(path)
    name = f"poor-{secrets.token_hex(4)}"
    with stack.customer(name) as client:
        told = run_octavo("customers", "set", name, "--quota", "1", "--data", str(stack.data))
        assert told.returncode == 0, told.stderr
        (item,) = items(submit(client, upload(client, path)))
        assert error_of(item) == ("payment_required", False)
        assert item["page_count"] is None


def test_all_eight_codes_were_reached() -> None:
    if not reached:
        pytest.skip("asked for without the tests above")
    assert reached == set(DOCUMENT_ERRORS)


def test_the_caps_at_the_door(stack: Stack, tmp_path: Path) -> None:
    path = tmp_path / "large.pdf"
    path.touch()
    with stack.customer() as client:
        with path.open("r+b") as file:
            file.truncate(MAX_FILE_BYTES)
        client.stage(path)
        with path.open("r+b") as file:
            file.truncate(MAX_FILE_BYTES + 1)
        assert refusal(lambda: client.stage(path)) == (413, "file_too_large")
        assert refusal(lambda: client.submit(["file_x"] * (MAX_FILES + 1), engine=None, idempotency_key="k"))[0] == 422
        assert refusal(lambda: client.submit(["file_x"] * MAX_FILES, engine=None, idempotency_key="k"))[0] == 404


def refusal(ask: Any) -> tuple[object, object]:  # noqa: ANN401 - a call
    with pytest.raises(Refused) as refused:
        ask()
    body = refused.value.facts["body"]
    assert isinstance(body, dict)
    return refused.value.facts["status"], body.get("error")


def test_a_file_of_exactly_the_cap_is_read(stack: Stack, tmp_path: Path) -> None:
    path = tmp_path / "largest.pdf"
    samples.make_report(path)
    with path.open("r+b") as file:
        # Zeros behind the end of a PDF: a reader passes over them.
        file.truncate(MAX_FILE_BYTES)
    with stack.customer() as client:
        batch = submit(client, upload(client, path))
        (item,) = items(batch)
        assert item["status"] == "succeeded"
