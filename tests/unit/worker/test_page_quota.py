"""A worker and a page quota: pages are reserved when they are counted, and nothing is read beyond it."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from octavo.batches import Item
from octavo.engines.contract import Limits
from octavo.engines.registry import TEST_ENGINES, EngineRegistry
from octavo.errors import StaleLease
from octavo.extraction.extractor import Extractor
from octavo.extraction.items import ItemWork
from octavo.identifiers import ItemId
from octavo.ledger.contract import PageAccount, Reservation
from octavo.worker import SliceWorker
from tests.ledger_tables import alter
from tests.unit.client.stack import RUN, Stack, running_stack


@pytest.fixture
def stack(tmp_path: Path) -> Iterator[Stack]:
    with running_stack(tmp_path) as made:
        yield made


@pytest.fixture(scope="module")
def extractor() -> Iterator[Extractor]:
    with Extractor(processes=2, limits=Limits(), registry=EngineRegistry(TEST_ENGINES)) as made:
        yield made


@pytest.fixture
def worker(stack: Stack, extractor: Extractor, tmp_path: Path) -> Iterator[SliceWorker]:
    work = ItemWork(stack.objects, extractor, folder=tmp_path)
    made = SliceWorker(stack.worker(), work, slots=8, lease_seconds=90.0, on_change=lambda: None)
    yield made
    made.close()


def give_quota(stack: Stack, pages: int | None) -> None:
    stack.ledger.accounts.set_limits(stack.customer.customer_id, {"page_quota": pages})


def account(stack: Stack) -> PageAccount:
    return stack.ledger.billing.page_account(stack.customer.customer_id)


def process(stack: Stack, worker: SliceWorker, *documents: bytes, attempts: int = 1) -> list[Item]:
    """Submit these documents and work them all off; returns their items."""
    batch_id = stack.batch(*[stack.file(one) for one in documents], engine="failing")
    worker.open_run(stack.named_run(batch_id), batch_id)
    for slice_ids in worker.claims(RUN):
        for slice_id in slice_ids:
            worker.process(slice_id, is_last_attempt=attempts == 1)
    return stack.items(batch_id)


def codes(items: list[Item]) -> list[str | None]:
    return [item.error_code for item in items]


def test_documents_within_the_quota_succeed_and_use_it_up(stack: Stack, worker: SliceWorker) -> None:
    give_quota(stack, 3)
    items = process(stack, worker, b"one", b"two", b"three", b"four", b"five")
    assert codes(items) == [None] * 3 + ["payment_required"] * 2
    assert [item.error_retryable for item in items[3:]] == [False, False]
    assert account(stack) == PageAccount(limit=3, used=3, reserved=0)


def test_nothing_is_read_and_nothing_kept_over_the_quota(stack: Stack, worker: SliceWorker) -> None:
    give_quota(stack, 0)
    # This one would hang for ever if it were read, and its child is not waited for.
    (item,) = process(stack, worker, b"hang")
    assert (item.error_code, item.attempts, item.page_count) == ("payment_required", 1, None)
    assert not list(stack.objects.list("results/"))


def test_a_document_with_more_pages_than_its_engine_has_counted_asks_again(stack: Stack, worker: SliceWorker) -> None:
    give_quota(stack, 2)
    bad_page, one_more = process(stack, worker, b"bad-page", b"one")
    assert (bad_page.page_count, one_more.error_code) == (2, "payment_required")
    give_quota(stack, 3)
    assert codes(work_off_again(stack, worker, b"bad-page")) == ["payment_required"]
    assert account(stack) == PageAccount(limit=3, used=2, reserved=0)


def work_off_again(stack: Stack, worker: SliceWorker, document: bytes) -> list[Item]:
    worker.forget_run(RUN)
    alter(stack.ledger, "DELETE FROM runs")
    return process(stack, worker, document)


@pytest.mark.parametrize("document", [b"unsupported_input", b"crash", b"only-bad-pages", b"ocr_provider_error"])
def test_pages_of_a_document_that_fails_are_given_back(stack: Stack, worker: SliceWorker, document: bytes) -> None:
    give_quota(stack, 1)
    (item,) = process(stack, worker, document)
    assert item.error_code not in (None, "payment_required")
    assert account(stack) == PageAccount(limit=1, used=0, reserved=0)


def test_without_a_quota_nobody_asks(stack: Stack, worker: SliceWorker, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[Reservation] = []
    monkeypatch.setattr(stack.ledger.billing, "reserve", asked.append)
    assert codes(process(stack, worker, b"one", b"two")) == [None, None]
    assert asked == []


def test_a_worker_hears_that_its_lease_is_over(stack: Stack) -> None:
    with pytest.raises(StaleLease):
        stack.worker().reserve(Reservation(item_id=ItemId("item_x"), lease_no=1, pages=1))
