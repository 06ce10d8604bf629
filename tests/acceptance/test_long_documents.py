"""Long documents whose worker is killed in the middle: the next one continues from the last kept pages."""

import json
import secrets
import signal
from pathlib import Path
from typing import Any

from octavo.client.customer import CustomerClient
from octavo.engines.drawing import BODY, HEADING, Sheets
from octavo.engines.mupdf import pymupdf
from octavo.samples import REPORT_TABLE
from tests.acceptance.stack import Batch, Stack, wait_for

SLOW_PAGES = 300
REAL_PAGES = 400


def draw(path: Path) -> Path:
    """A real PDF of four hundred pages, whose paragraphs and tables run over their ends."""
    sheets = Sheets()
    for number in range(1, 21):
        sheet = sheets.page()
        sheet.text(f"{number} Of the harbour", HEADING)
        sheet.text(f"On day {number} the water-level in the basin was read by the harbour office. " * 10, BODY)
        sheet.table(REPORT_TABLE, (150, 130, 130), span_first=True)
    short = path.with_suffix(".short.pdf")
    sheets.save(short)
    with pymupdf.open(short) as pages, pymupdf.open() as whole:
        for _ in range(REAL_PAGES // 20):
            whole.insert_pdf(pages)
        whole.save(path)
    return path


def submit(client: CustomerClient, path: Path, engine: str) -> Batch:
    staged = client.stage(path)
    client.upload(staged, path)
    made = client.submit([staged.file_id], engine=engine, idempotency_key=secrets.token_hex(8))
    return Batch(client, made["id"])


def result_of(batch: Batch) -> dict[str, Any]:
    (item,) = batch.wait_until_ended(limit=120)["items"]
    assert item["status"] == "succeeded", item["error"]
    found: dict[str, Any] = json.loads(batch.client.result(batch.batch_id, item["id"]))
    return found


def results_with_kept_pages(stack: Stack, customer_id: str) -> set[str]:
    """Return the results to be of which finished pages lie on disk."""
    results = stack.data / "objects" / "octavo" / "results" / customer_id
    return {path.parent.parent.name for path in results.glob("*/kept/*") if path.is_file()}


def test_a_worker_killed_in_mid_document_is_followed_by_one_that_reads_only_what_is_left(
    stack: Stack, tmp_path: Path
) -> None:
    path = draw(tmp_path / "harbour.pdf")
    slow = tmp_path / "slow.txt"
    slow.write_text(f"pages {SLOW_PAGES} 0.03")
    with stack.customer() as undisturbed, stack.customer() as client:
        expected = result_of(submit(undisturbed, path, "fast"))
        timed = submit(client, slow, "failing")
        customer_id = client._api.get(f"/v1/files/{timed.look()['items'][0]['file_id']}").json()["customer_id"]
        shown = wait_for(lambda: timed.look()["items"][0]["pages_done"], limit=20, what="progress")
        assert timed.look()["items"][0]["pages_total"] == SLOW_PAGES
        assert 1 <= shown < SLOW_PAGES
        real = submit(client, path, "fast")
        wait_for(lambda: len(results_with_kept_pages(stack, customer_id)) == 2, limit=60, what="kept pages of both")
        stack.strike("worker", signal.SIGKILL)

        readers = [chunk["page_content"] for chunk in result_of(timed)["chunks"]]
        of_first = readers.count(readers[0])
        assert 1 <= of_first < SLOW_PAGES
        assert readers == [readers[0]] * of_first + [readers[-1]] * (SLOW_PAGES - of_first), "no page was read twice"
        assert result_of(real) == expected
        for batch, pages in ((real, REAL_PAGES), (timed, SLOW_PAGES)):
            (item,) = batch.look()["items"]
            assert (item["page_count"], item["pages_done"], item["attempts"]) == (pages, None, 2)
        used = sum(day["pages"] for day in client._api.get("/v1/usage").json()["data"])
        assert used == REAL_PAGES + SLOW_PAGES, "billed once"
        wait_for(lambda: not results_with_kept_pages(stack, customer_id), limit=20, what="no piece left")
    stack.wait_until_healthy()
