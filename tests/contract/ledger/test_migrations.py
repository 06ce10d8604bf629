"""A ledger that the version before dialects has written, with rows in every table, opens and goes on."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import duckdb
import pytest

from octavo.batch_options import BatchOptions, Dialect, ExtractPageOptions
from octavo.batches import BatchStatus, FileStatus, ItemStatus, RunStatus, Source
from octavo.identifiers import BatchId, CustomerId, DeliveryId, FileId, ItemId, ResultId, RunId, WebhookId, WorkerId
from octavo.ledger.contract import HeldSlots, ItemOrder, ItemQuery, PageAccount, PendingDeletion
from octavo.ledger.duckdb import DuckdbLedger
from octavo.ledger.duckdb.database import FileDatabase
from octavo.ledger.duckdb.statements import migrations
from octavo.parse_options import ParseOptions
from octavo.webhooks.records import DeliveryStatus
from tests.contract.ledger.world import StandingClock, World, finish, success

CUSTOMER = CustomerId("cust_1")
ENDED, RUNNING = BatchId("batch_1"), BatchId("batch_2")
DONE, BROKEN, HELD, FREE = (ItemId(f"item_{number}") for number in range(1, 5))
NOON = datetime(2026, 11, 22, 12, tzinfo=UTC)
OPTIONS = '{"extract_text": false, "extract_images": true, "ocr": "auto", "engine": "fast", "engine_version": "3"}'
T = "TIMESTAMP '2026-11-22 12:00:00'"
LATER = "TIMESTAMP '2026-12-22 12:00:00'"
BEFORE = f"""
INSERT INTO customers VALUES ('cust_1', 'acme', true, 5, 30, 100, NULL, {T});
INSERT INTO api_keys VALUES ('key_1', 'cust_1', 'oct_ab', 'digest', 'laptop', {T}, NULL, true);
INSERT INTO files (
    file_id, customer_id, status, filename, content_type, size_bytes, sha256, object_key, created_at, expires_at
) VALUES
    ('file_1', 'cust_1', 'ready', 'a.pdf', 'application/pdf', 10, 'abc', 'in/1', {T}, {LATER}),
    ('file_2', 'cust_1', 'ready', NULL, NULL, 20, NULL, 'in/2', {T}, {LATER}),
    ('file_3', 'cust_1', 'deleted', NULL, NULL, 0, NULL, 'in/3', {T}, {LATER});
INSERT INTO batches (
    batch_no, batch_id, customer_id, total_items, engine, options, metadata, priority, retention_seconds, created_at,
    expires_at, pending, unleased, running, succeeded, failed, cancelled, status, started_at, completed_at, retried_at
) VALUES
    (nextval('batch_numbers'), 'batch_1', 'cust_1', 2, 'fast', '{OPTIONS}', '{{"box": 7}}', 60, 2592000, {T},
        {LATER}, 0, 0, 0, 1, 1, 0, 'partially_failed', {T}, {T}, NULL),
    (nextval('batch_numbers'), 'batch_2', 'cust_1', 2, NULL, '{OPTIONS}', NULL, 60, 2592000, {T},
        {LATER}, 1, 1, 1, 0, 0, 0, 'running', {T}, NULL, NULL);
INSERT INTO items (
    item_id, batch_no, batch_id, file_id, position, created_at, updated_at, status, attempts, lease_no, lost_leases,
    slice_id, finished_lease_no, page_count, result_id, error_code, error_message, error_retryable, engine, seconds,
    started_at, completed_at, reused, failed_pages
) VALUES
    ('item_1', 1, 'batch_1', 'file_1', 0, {T}, {T}, 'succeeded', 1, 1, 0, NULL, 1, 3, 'res_1', NULL, NULL, NULL,
        'fast 3', 0.5, {T}, {T}, true, 1),
    ('item_2', 1, 'batch_1', 'file_3', 1, {T}, {T}, 'failed', 1, 1, 0, NULL, 1, NULL, NULL, 'extraction_failed',
        'It is damaged.', false, NULL, NULL, {T}, {T}, false, 0),
    ('item_3', 2, 'batch_2', 'file_1', 0, {T}, {T}, 'running', 1, 1, 0, 'slice_1', NULL, NULL, NULL, NULL, NULL, NULL,
        NULL, NULL, {T}, NULL, false, 0),
    ('item_4', 2, 'batch_2', 'file_2', 1, {T}, {T}, 'pending', 0, 0, 0, NULL, NULL, NULL, NULL, NULL, NULL, NULL,
        NULL, NULL, NULL, NULL, false, 0);
INSERT INTO slices VALUES ('slice_1', 'batch_2', 'cust_1', 'run-1', 'worker-1/a', {LATER}, 1);
INSERT INTO runs VALUES ('batch_2', 1, 'cust_1', 'run-1', 'worker-1/a', 'active', {T}, {T});
INSERT INTO usage VALUES ('item_1', 'batch_1', 'cust_1', 3, {T});
INSERT INTO reservations VALUES ('item_3', 'cust_1', 4);
INSERT INTO idempotency_keys VALUES ('cust_1', 'k', 'body', 'batch_1', {T});
INSERT INTO webhooks VALUES (
    'webhook_1', 'cust_1', 'v1', 'https://a.example/', '["batch.completed", "batch.partially_failed"]', true, NULL, 2,
    {LATER}, {T}, {T}
);
INSERT INTO deliveries VALUES (
    'delivery_1', 'webhook_1', 'cust_1', 'batch.partially_failed', 'batch_1', 'partially_failed', 1, 1, 0, {T}, {LATER},
    {T}, 'pending', 1, 1, {T}, NULL, 1, NULL
);
INSERT INTO attempts VALUES ('delivery_1', 1, {T}, 0.2, 500, NULL, 'no');
INSERT INTO doomed VALUES (nextval('doomed_numbers'), 'cust_1', 'in/3', NULL);
INSERT INTO deletions VALUES (nextval('deletion_numbers'), NULL, 'file_3', {LATER});
UPDATE archive_position SET file_no = 2, batch_no = 1;
"""  # noqa: S608


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """The file of a ledger with schema 9."""
    made = tmp_path / "ledger.duckdb"
    FileDatabase(made, tuple(step for step in migrations() if step.version <= 9)).close()
    with duckdb.connect(made) as writing:
        writing.execute(BEFORE)
    return made


@pytest.fixture
def world(path: Path, clock: StandingClock) -> Iterator[World]:
    clock.moment = NOON + timedelta(hours=1)
    ledger = DuckdbLedger(path, clock=clock)
    yield World(ledger, clock)
    ledger.close()


def test_every_table_had_a_row(path: Path) -> None:
    with duckdb.connect(path, read_only=True) as looking:
        tables = [row[0] for row in looking.execute("SELECT table_name FROM duckdb_tables()").fetchall()]
        for table in tables:
            assert looking.execute(f"SELECT count(*) FROM {table}").fetchone() != (0,), table  # noqa: S608


def test_batches_and_items_are_of_the_first_dialect_and_of_files(world: World) -> None:
    ended = world.ledger.batches.get(CUSTOMER, ENDED)
    assert ended.options == BatchOptions(
        parse=ParseOptions(engine="fast", engine_version="3"), shown=ExtractPageOptions(extract_text=False)
    )
    assert (ended.dialect, ended.status, ended.metadata) == (
        Dialect.EXTRACT_PAGE,
        BatchStatus.PARTIALLY_FAILED,
        {"box": 7},
    )
    found = [world.ledger.batches.item_of_customer(CUSTOMER, item_id) for item_id in (DONE, BROKEN, HELD, FREE)]
    done, broken, held, free = found
    assert [one.source for one in found] == [
        Source(file_id=FileId("file_1"), name="a.pdf"),
        Source(file_id=FileId("file_3")),
        Source(file_id=FileId("file_1"), name="a.pdf"),
        Source(file_id=FileId("file_2")),
    ]
    assert {(one.customer_id, one.dialect, one.metadata) for one in (done, free)} == {
        (CUSTOMER, Dialect.EXTRACT_PAGE, None)
    }
    assert (done.status, done.result_id, done.reused, done.failed_pages) == (
        ItemStatus.SUCCEEDED,
        ResultId("res_1"),
        True,
        1,
    )
    assert (broken.error_code, held.status, free.status) == (
        "extraction_failed",
        ItemStatus.RUNNING,
        ItemStatus.PENDING,
    )
    listed = world.ledger.batches.items_of_customer(
        ItemQuery(customer_id=CUSTOMER, source_name="a.pdf", order=ItemOrder.CREATED, is_ascending=True)
    )
    assert [one.item_id for one in listed] == [DONE, HELD]


def test_everything_else_is_as_it_was(world: World) -> None:
    ledger = world.ledger
    customer = ledger.accounts.customer(CUSTOMER)
    assert (customer.name, customer.item_cap, customer.page_quota) == ("acme", 5, 100)
    principal = ledger.accounts.principal("digest")
    assert principal is not None
    assert (principal.customer, principal.key.label, principal.key.uploads_only) == (customer, "laptop", True)
    (file,) = ledger.files.find(CUSTOMER, [FileId("file_1")]).values()
    assert (file.status, file.filename, file.sha256) == (FileStatus.READY, "a.pdf", "abc")
    assert ledger.billing.page_account(CUSTOMER) == PageAccount(limit=100, used=3, reserved=4)
    run = ledger.runs.get(RunId("run-1"))
    assert run is not None
    assert (run.status, run.run_no) == (RunStatus.ACTIVE, 1)
    assert ledger.work.held_slots() == [HeldSlots(CUSTOMER, WorkerId("worker-1/a"), 1)]
    replayed = ledger.batches.replay(CUSTOMER, "k", "body")
    assert replayed is not None
    assert replayed.batch_id == ENDED
    assert ledger.lifetimes.pending_deletions(10) == [
        PendingDeletion(number=1, customer_id=CUSTOMER, object_key="in/3")
    ]
    (webhook,) = ledger.webhooks.of_customer(CUSTOMER)
    assert (webhook.events, webhook.secret_no) == (("batch.completed", "batch.partially_failed"), 2)
    delivery = ledger.deliveries.get(CUSTOMER, DeliveryId("delivery_1"))
    assert (delivery.status, delivery.attempts) == (DeliveryStatus.PENDING, 1)
    assert delivery.end is not None
    assert (delivery.end.batch_id, delivery.end.failed) == (ENDED, 1)
    assert [one.status_code for one in ledger.deliveries.attempts([delivery.delivery_id])[delivery.delivery_id]] == [
        500
    ]
    position = ledger.archive.position()
    changes = ledger.archive.changes(position)
    assert (position.file_no, position.batch_no) == (2, 1)
    assert changes is not None
    assert changes.deletions is not None
    assert [one.batch_id for one in changes.manifests] == [RUNNING]


def test_the_running_batch_goes_on_and_nothing_is_billed_twice(world: World) -> None:
    (held,) = [one for one in world.ledger.batches.items(RUNNING) if one.item_id == HELD]
    world.ledger.work.revoke(worker_id=WorkerId("worker-1/a"))
    run = world.ledger.runs.add(RUNNING)
    assert run.run_no == 2
    claim = world.claim(RUNNING, run=RunId("run-2"), worker=WorkerId("worker-2/a"))
    items = [item for one in claim.slices for item in one.items]
    assert sorted((item.item_id, item.lease_no) for item in items) == [(HELD, 2), (FREE, 1)]
    assert {item.object_key for item in items} == {"in/1", "in/2"}
    for item in items:
        assert world.say(finish(item, success(2)))[0].accepted
    assert world.ledger.batches.get(CUSTOMER, RUNNING).status is BatchStatus.COMPLETED
    assert world.ledger.billing.pages_used(CUSTOMER) == 3 + 2 * 2
    assert world.ledger.billing.differences() == []
    # What was told of the old and what is made from now on have numbers of their own.
    (due,) = world.ledger.deliveries.claim(limit=1, lease_seconds=30)
    assert due.webhook.webhook_id == WebhookId("webhook_1")
    new, _ = world.ledger.batches.create(replace(world.order([held.file_id]), customer_id=CUSTOMER))
    assert new.batch_id not in (ENDED, RUNNING)
