"""What a ledger writes into its archive, and a ledger rebuilt from that."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace

import pytest

from octavo.batch_options import BatchOptions, ExtendOptions
from octavo.batches import Batch, BatchStatus, FileStatus, ItemStatus, NewItem, RunStatus, Source, SourceKind
from octavo.errors import BatchNotFound, IdempotencyKeyReused, StaleLease
from octavo.identifiers import BatchId, FileId, ItemId
from octavo.ledger.archive import (
    Accounts,
    ArchivedBatch,
    ArchivedPart,
    ArchivePosition,
    Changes,
    EndedItem,
    Manifest,
    OpenRuns,
    Outcomes,
    StagedFiles,
    joined,
)
from octavo.ledger.contract import Ledger, LimitName, NewWebhook, PageAccount, Reservation, Retry
from octavo.ledger.duckdb import archive as duckdb_archive
from octavo.ledger.restoring import CLOCK_MARGIN, LEASES_PER_GENERATION
from octavo.parse_options import ParseOptions
from tests.contract.ledger.conftest import MakeLedger
from tests.contract.ledger.world import (
    RUN,
    StandingClock,
    World,
    begin,
    cursor,
    failed,
    finish,
    ids,
    release,
    success,
)

Anew = Callable[..., World]


def told(ledger: Ledger, after: ArchivePosition | None = None) -> list[Changes]:
    """All changes after a position, part by part, each noted as an archive would."""
    found: list[Changes] = []
    position = ledger.archive.position() if after is None else after
    while (change := ledger.archive.changes(position)) is not None:
        if not change.is_empty:
            found.append(change)
        position = change.position
        ledger.archive.note_position(position)
    return found


def outcomes_of(changes: Sequence[Changes], batch_id: BatchId) -> list[Outcomes]:
    return [one for change in changes for one in change.outcomes if one.batch_id == batch_id]


def ended(changes: Sequence[Changes]) -> list[ItemId]:
    return [item.item_id for change in changes for one in change.outcomes for item in one.items]


def parts(changes: Sequence[Changes]) -> Iterator[ArchivedPart]:
    """What an archive holds after these changes, in the order in which it is read."""
    yield [change.accounts for change in changes if change.accounts][-1]
    for change in changes:
        if change.files is not None:
            yield change.files
    for manifest in [manifest for change in changes for manifest in change.manifests]:
        found = outcomes_of(changes, manifest.batch_id) or [
            Outcomes(batch_id=manifest.batch_id, until=manifest.created_at)
        ]
        yield ArchivedBatch(manifest=manifest, outcomes=joined(found))
    yield [change.runs for change in changes if change.runs][-1]


@pytest.fixture
def anew(world: World, clock: StandingClock, make_ledger: MakeLedger) -> Iterator[Anew]:
    """A ledger of the same kind, made anew from what `world` has told by then."""
    made: list[Ledger] = []

    def make(generation: int = 1, changes: list[Changes] | None = None) -> World:
        changes = told(world.ledger, ArchivePosition()) if changes is None else changes
        ledger = make_ledger(clock)
        made.append(ledger)
        ledger.archive.restore(parts(changes), generation=generation)
        return World(ledger, clock)

    yield make
    for ledger in made:
        ledger.close()


# What is told -----------------------------------------------------------------------------


def test_a_new_ledger_has_a_name_of_its_own(ledger: Ledger, make_ledger: MakeLedger, clock: StandingClock) -> None:
    other = make_ledger(clock)
    assert ledger.archive.identity().generation == 0
    assert len(ledger.archive.identity().ledger_id) == 32
    assert ledger.archive.identity() == ledger.archive.identity() != other.archive.identity()
    other.close()


def test_nothing_new_is_nothing(ledger: Ledger, world: World) -> None:
    told(ledger)
    assert ledger.archive.changes(ledger.archive.position()) is None


def test_an_outcome_is_told_once_and_after_what_it_refers_to(ledger: Ledger, world: World) -> None:
    batch = world.batch(2)
    first, second = world.take(batch, 2)
    world.say(finish(first))
    (change,) = told(ledger)
    assert change.accounts is not None
    assert [one.customer_id for one in change.accounts.customers] == [world.customer.customer_id]
    assert change.files is not None
    assert len(change.files.files) == 2
    assert [manifest.batch_id for manifest in change.manifests] == [batch.batch_id]
    assert ended([change]) == [first.item_id]
    world.say(finish(second, failed()))
    (change,) = told(ledger)
    assert (change.accounts, change.files, change.manifests) == (None, None, ())
    assert ended([change]) == [second.item_id]
    assert change.outcomes[0].is_terminal


def test_beginning_renewing_and_claiming_are_not_worth_an_archive(ledger: Ledger, world: World) -> None:
    batch = world.batch(2)
    told(ledger)
    (item,) = world.take(batch)
    world.say(begin(item))
    world.say(release(item))
    assert told(ledger) == []


def test_a_change_of_a_customer_or_key_tells_all_of_them_again(ledger: Ledger, world: World) -> None:
    told(ledger)
    key = ledger.accounts.add_key(world.customer.customer_id, prefix="ok", digest="digest")
    (added,) = told(ledger)
    ledger.accounts.revoke_key(key.key_id)
    (revoked,) = told(ledger)
    ledger.accounts.update_customer(world.customer.customer_id, item_cap=3)
    (capped,) = told(ledger)
    assert added.accounts is not None
    assert revoked.accounts is not None
    assert capped.accounts is not None
    assert [(one.digest, one.key.revoked_at) for one in added.accounts.keys] == [("digest", None)]
    assert revoked.accounts.keys[0].key.revoked_at is not None
    assert capped.accounts.customers[0].item_cap == 3


def test_runs_are_told_while_their_batch_is_unfinished(ledger: Ledger, world: World) -> None:
    batch = world.batch(1)
    world.run(batch)
    (change,) = told(ledger)
    assert change.runs is not None
    assert [run.run_id for run in change.runs.runs] == [RUN]
    ledger.runs.note_seen([RUN])
    assert told(ledger) == []  # being heard of is no change
    world.work_off(batch)
    (change,) = told(ledger)
    assert change.runs == OpenRuns(runs=())


def test_a_cancel_is_told_even_when_no_item_has_ended(ledger: Ledger, world: World) -> None:
    batch = world.batch(1)
    (item,) = world.take(batch)
    world.say(begin(item))
    told(ledger)
    ledger.batches.cancel(batch.customer_id, batch.batch_id)
    (change,) = told(ledger)
    assert change.outcomes[0].cancel_requested_at == world.now(batch).cancel_requested_at is not None
    assert change.outcomes[0].items == ()


def test_all_outcomes_of_a_batch_can_be_asked_for(ledger: Ledger, world: World) -> None:
    batch = world.batch(3)
    done, broken, _ = world.take(batch, 3)
    world.say(finish(done, success(7, sha256="abc")), finish(broken, failed(sha256="def")))
    found = ledger.archive.outcomes(batch.batch_id)
    assert {item.item_id: (item.status, item.page_count, item.sha256) for item in found.items} == {
        done.item_id: (ItemStatus.SUCCEEDED, 7, "abc"),
        broken.item_id: (ItemStatus.FAILED, None, "def"),
    }
    assert found.started_at == world.now(batch).started_at
    with pytest.raises(BatchNotFound):
        ledger.archive.outcomes(BatchId("batch_of_nobody"))


def test_much_is_told_in_parts_and_none_of_it_is_left_out(
    ledger: Ledger, world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(duckdb_archive, "FILES_AT_ONCE", 3)
    monkeypatch.setattr(duckdb_archive, "BATCHES_AT_ONCE", 2)
    monkeypatch.setattr(duckdb_archive, "ITEMS_AT_ONCE", 4)
    batches = [world.batch(count) for count in (1, 6, 2, 3)]
    for batch in batches:
        world.work_off(batch)
        world.clock.go(seconds=1)
    changes = told(ledger)
    seen: set[BatchId] = set()
    for change in changes:
        seen |= {manifest.batch_id for manifest in change.manifests}
        assert {one.batch_id for one in change.outcomes} <= seen
    assert sorted(ended(changes)) == sorted(item.item_id for batch in batches for item in world.items(batch))
    assert sum(len(change.files.files) for change in changes if change.files) == 12
    assert seen == {batch.batch_id for batch in batches}


# Made anew --------------------------------------------------------------------------------


def test_webhooks_are_as_they_were(world: World, anew: Anew) -> None:
    new = NewWebhook(customer_id=world.customer.customer_id, url="https://a.example/", events=("batch.completed",))
    made = world.ledger.webhooks.add(new)
    kept = world.ledger.webhooks.rotate_secret(made.customer_id, made.webhook_id)
    again = anew()
    assert again.ledger.webhooks.of_customer(made.customer_id) == [kept]
    again.work_off(again.batch())
    assert len(again.ledger.deliveries.of_webhook(made.customer_id, made.webhook_id)) == 1


def test_what_has_ended_is_as_it_was(world: World, anew: Anew) -> None:
    ledger, customer_id = world.ledger, world.customer.customer_id
    ledger.accounts.add_key(customer_id, prefix="ok", digest="digest", label="laptop")
    ledger.accounts.update_customer(customer_id, item_cap=3)
    ledger.accounts.ensure_customer("Grace")
    batches = [world.batch(3), world.batch(2), ledger.batches.create(world.order(world.files(1), key="k"))[0]]
    for batch in batches[:2]:
        items = world.take(batch, 2)
        world.clock.go(seconds=2)
        done = replace(success(3, sha256="abc"), reused=True)
        world.say(finish(items[0], done), finish(items[1], failed(sha256="def")))
    ledger.batches.cancel(customer_id, batches[0].batch_id)
    made = anew()
    assert made.ledger.accounts.customers() == ledger.accounts.customers()
    assert made.ledger.accounts.keys(customer_id) == ledger.accounts.keys(customer_id)
    assert made.ledger.accounts.principal("digest") == ledger.accounts.principal("digest")
    assert made.ledger.batches.of_customer(customer_id) == ledger.batches.of_customer(customer_id)
    for batch in batches[:2]:
        assert made.items(batch) == world.items(batch)
        file_ids = [item.file_id for item in world.items(batch)]
        assert made.ledger.files.find(customer_id, file_ids) == ledger.files.find(customer_id, file_ids)
    assert made.pages() == world.pages() == 6
    assert (
        made.ledger.batches.replay(customer_id, "k", "body")
        == ledger.batches.replay(customer_id, "k", "body")
        is not None
    )
    with pytest.raises(IdempotencyKeyReused):
        made.ledger.batches.replay(customer_id, "k", "another body")


def test_what_items_are_made_of_is_as_it_was(world: World, anew: Anew) -> None:
    file_ids = world.files(3)
    address = Source(kind=SourceKind.URL, file_id=file_ids[1], name="b.pdf", url="https://example.org/b.pdf")
    items = (
        NewItem(source=Source(file_id=file_ids[0]), metadata={"row": [1, None]}),
        NewItem(source=address),
        NewItem(source=Source(file_id=file_ids[2], name="renamed.pdf")),
    )
    options = BatchOptions(parse=ParseOptions(engine="fast"), shown=ExtendOptions(config={"target": "markdown"}))
    order = replace(world.order([]), items=items, options=options)
    batch, _ = world.ledger.batches.create(order)
    plain = world.batch(2)
    made = anew()
    assert made.now(batch).options == options
    for kept in (batch, plain):
        before, after = world.items(kept), made.items(kept)
        assert [(one.source, one.metadata, one.dialect) for one in after] == [
            (one.source, one.metadata, one.dialect) for one in before
        ]
    assert world.ledger.archive.manifest(plain.batch_id).inputs == (), "what is as usual is not written down"


def test_what_has_not_ended_goes_on_and_is_billed_once(world: World, anew: Anew) -> None:
    batch = world.batch(4)
    done, begun, *_ = world.take(batch, 3)
    world.say(finish(done), begin(begun))
    made = anew()
    counts = made.now(batch).counts
    assert (counts.succeeded, counts.pending, counts.running) == (1, 3, 0)
    assert made.now(batch).status is BatchStatus.RUNNING
    made.work_off(batch)
    assert made.now(batch).status is BatchStatus.COMPLETED
    assert made.pages() == 8


def test_a_worker_of_before_cannot_report_what_it_holds(world: World, anew: Anew) -> None:
    batch = world.batch(1)
    for _ in range(5):
        world.say(release(world.take(batch)[0]))
    (old,) = world.take(batch)
    made = anew()
    assert not made.say(finish(old))[0].accepted
    (new,) = made.take(batch)
    assert new.lease_no > LEASES_PER_GENERATION
    for number in range(old.lease_no + 10):
        assert not made.say(finish(replace(old, lease_no=number)))[0].accepted
    assert made.pages() == 0
    assert made.say(finish(new))[0].accepted


def test_each_rebuild_numbers_leases_beyond_the_last(world: World, anew: Anew) -> None:
    batch = world.batch(1)
    first = anew(1)
    (held,) = first.take(batch)
    second = anew(2, told(first.ledger, ArchivePosition()))
    assert second.ledger.archive.identity().generation == 2
    (item,) = second.take(batch)
    assert item.lease_no > held.lease_no + LEASES_PER_GENERATION - 10
    assert not second.say(finish(held))[0].accepted


def test_an_outcome_repeated_by_a_worker_of_before_is_accepted_and_changes_nothing(world: World, anew: Anew) -> None:
    batch = world.batch(1)
    (item,) = world.take(batch)
    world.say(finish(item))
    made = anew()
    assert made.say(finish(item, success(99)))[0].accepted
    assert made.pages() == 2


def test_a_run_of_before_is_lost_and_claims_nothing(world: World, anew: Anew) -> None:
    batch = world.batch(2)
    number = world.run(batch)
    made = anew()
    assert [(run.run_no, run.run_id, run.status) for run in made.ledger.runs.lost()] == [(number, RUN, RunStatus.LOST)]
    with pytest.raises(StaleLease):
        made.claim(batch)
    assert made.ledger.runs.add(batch.batch_id).run_no == number + 1
    assert made.ledger.work.workers() == []


def test_a_reader_with_a_cursor_is_told_of_what_went_back(world: World, anew: Anew) -> None:
    batch = world.batch(3)
    first, second, third = world.take(batch, 3)
    world.say(finish(first))
    before = told(world.ledger, ArchivePosition())
    world.clock.go(milliseconds=100)
    world.say(finish(second))
    seen = cursor(world.item(second))
    world.clock.go(seconds=5)
    made = anew(changes=before)
    again = made.ledger.batches.items(batch.batch_id, after=seen)
    assert ids(again) == [second.item_id, third.item_id]
    assert {item.status for item in again} == {ItemStatus.PENDING}
    made.work_off(batch)
    assert sorted(ids(made.ledger.batches.items(batch.batch_id, after=cursor(again[-1])))) == sorted(ids(again))


def test_updated_at_goes_on_where_the_clock_went_back(world: World, anew: Anew) -> None:
    batch = world.batch(2)
    (item, _) = world.take(batch, 2)
    world.say(finish(item))
    seen = cursor(world.item(item))
    world.clock.go(hours=-1)
    made = anew()
    (left,) = made.ledger.batches.items(batch.batch_id, after=seen)
    assert left.updated_at == seen.updated_at + CLOCK_MARGIN
    made.work_off(batch)
    assert made.item(item).updated_at < made.ledger.batches.item(batch.batch_id, left.item_id).updated_at


def test_items_without_an_outcome_in_a_cancelled_batch_are_cancelled_and_that_is_new(world: World, anew: Anew) -> None:
    batch = world.batch(3)
    (item,) = world.take(batch)
    world.say(begin(item))
    world.ledger.batches.cancel(batch.customer_id, batch.batch_id)
    world.clock.go(seconds=1)
    made = anew()
    assert made.now(batch).status is BatchStatus.CANCELLED
    assert made.now(batch).counts.cancelled == 3
    assert ended(told(made.ledger)) == [item.item_id]


def test_all_that_was_restored_counts_as_archived(world: World, anew: Anew) -> None:
    batch = world.batch(3)
    world.say(finish(world.take(batch)[0]))
    world.files(2)
    world.clock.go(seconds=1)
    made = anew()
    (change,) = told(made.ledger)  # accounts and runs are told again: they are small
    assert (change.files, change.manifests, change.outcomes) == (None, (), ())


def test_a_file_that_no_batch_named_can_be_submitted(world: World, anew: Anew) -> None:
    (waiting,) = world.files(1, status=FileStatus.PENDING)
    (ready,) = world.files(1)
    made = anew()
    found = made.ledger.files.find(made.customer.customer_id, [waiting, ready])
    assert [found[file_id].status for file_id in (waiting, ready)] == [FileStatus.PENDING, FileStatus.READY]
    made.ledger.files.mark_ready([waiting])
    assert made.ledger.batches.create(made.order([waiting, ready]))[1]


def test_a_file_stays_ready_when_it_was_archived_as_pending_before_its_batch(world: World, anew: Anew) -> None:
    (file_id,) = world.files(1, status=FileStatus.PENDING)
    before = told(world.ledger, ArchivePosition())
    world.ledger.files.mark_ready([file_id])
    batch = world.ledger.batches.create(world.order([file_id]))[0]
    made = anew(changes=before + told(world.ledger))
    assert made.ledger.files.find(made.customer.customer_id, [file_id])[file_id].status is FileStatus.READY
    made.work_off(batch)
    assert made.now(batch).status is BatchStatus.COMPLETED


def test_a_ledger_with_customers_is_not_restored_into(world: World) -> None:
    changes = told(world.ledger, ArchivePosition())
    with pytest.raises(ValueError, match="only an empty ledger"):
        world.ledger.archive.restore(parts(changes), generation=1)


def test_a_restored_ledger_takes_new_files_and_batches(world: World, anew: Anew) -> None:
    world.work_off(world.batch(2))
    made = anew()
    batch = made.batch(2)
    made.work_off(batch)
    changes = told(made.ledger)
    assert [manifest.batch_id for change in changes for manifest in change.manifests] == [batch.batch_id]
    assert made.pages() == 8


# Joining ----------------------------------------------------------------------------------


def test_pieces_are_joined_in_any_order_and_repeated_items_count_once(world: World) -> None:
    batch = world.batch(3)
    items = world.take(batch, 3)
    pieces = []
    for item in items:
        world.clock.go(seconds=1)
        world.say(finish(item))
        pieces += outcomes_of(told(world.ledger), batch.batch_id)
    whole = world.ledger.archive.outcomes(batch.batch_id)
    found = joined([pieces[2], whole, pieces[0], pieces[1], pieces[0]])
    assert sorted(item.item_id for item in found.items) == sorted(item.item_id for item in items)
    assert found.started_at == world.now(batch).started_at
    assert found.is_terminal
    with pytest.raises(ValueError, match="at least one"):
        joined([])


def test_outcomes_of_items_the_manifest_does_not_name_are_left_out(world: World, anew: Anew) -> None:
    batch = world.batch(1)
    (item,) = world.take(batch)
    world.say(finish(item))
    (change,) = told(world.ledger, ArchivePosition())
    stranger = EndedItem(
        item_id=ItemId("item_x"),
        status=ItemStatus.SUCCEEDED,
        page_count=5,
        sha256="x",
        updated_at=world.clock(),
        completed_at=world.clock(),
    )
    (one,) = change.outcomes
    made = anew(changes=[replace(change, outcomes=(replace(one, items=(*one.items, stranger)),))])
    assert made.pages() == 2
    assert ids(made.items(batch)) == [item.item_id]


def test_a_manifest_names_its_files_once_and_its_items_by_position(world: World) -> None:
    one, other = world.files(2)
    batch = world.ledger.batches.create(world.order([one, other, one]))[0]
    (change,) = told(world.ledger)
    (manifest,) = change.manifests
    assert isinstance(manifest, Manifest)
    assert [file_id for _, file_id in manifest.items] == [one, other, one]
    assert [item_id for item_id, _ in manifest.items] == ids(world.items(batch))
    assert [file.file_id for file in manifest.files] == [one, other]
    assert FileId(one) in {file.file_id for file in manifest.files}


def test_accounts_and_files_are_records(world: World) -> None:
    world.files(1)
    (change,) = told(world.ledger)
    assert isinstance(change.accounts, Accounts)
    assert isinstance(change.files, StagedFiles)


def test_limits_and_key_flags_come_back_and_what_was_set_aside_is_free_again(world: World, anew: Anew) -> None:
    customer_id = world.customer.customer_id
    limits: dict[LimitName, int | None] = {"page_quota": 9, "submissions_per_minute": 7, "retention_seconds": 60}
    customer = world.ledger.accounts.set_limits(customer_id, limits)
    key = world.ledger.accounts.add_key(customer_id, prefix="u", digest="uploads", uploads_only=True)
    done, under_way = world.take(world.batch(2), 2)
    world.say(finish(done, success(pages=4)))
    assert world.ledger.billing.reserve(Reservation(item_id=under_way.item_id, lease_no=under_way.lease_no, pages=5))
    again = anew()
    principal = again.ledger.accounts.principal("uploads")
    assert principal is not None
    assert (principal.customer, principal.key) == (customer, key)
    assert again.ledger.billing.page_account(customer_id) == PageAccount(limit=9, used=4, reserved=0)
    assert again.ledger.billing.differences() == []
    with pytest.raises(StaleLease):
        again.ledger.billing.reserve(Reservation(item_id=under_way.item_id, lease_no=under_way.lease_no, pages=1))


def test_a_limit_that_changes_is_told(world: World) -> None:
    told(world.ledger)
    world.ledger.accounts.set_limits(world.customer.customer_id, {"page_quota": 9})
    (change,) = told(world.ledger)
    assert change.accounts is not None
    assert [one.page_quota for one in change.accounts.customers] == [9]


# Retries ----------------------------------------------------------------------------------


def retried(world: World, batch: Batch) -> None:
    world.clock.go(seconds=1)
    world.ledger.batches.retry_failed(Retry(customer_id=batch.customer_id, batch_id=batch.batch_id))


def test_an_item_that_runs_again_is_pending_in_a_ledger_made_anew(world: World, anew: Anew) -> None:
    batch = world.batch(2)
    good, bad = world.take(batch, 2)
    world.say(finish(good), finish(bad, failed()))
    changes = told(world.ledger)
    retried(world, batch)
    changes += told(world.ledger)
    made = anew(changes=changes)
    assert [item.status.value for item in made.items(batch)] == ["succeeded", "pending"]
    found = made.now(batch)
    assert (found.status, found.completed_at) == (BatchStatus.RUNNING, None)
    assert made.pages() == 2
    assert [item.item_id for item in made.take(batch)] == [bad.item_id]


def test_an_item_that_ended_ran_again_and_ended_anew_has_its_last_end(world: World, anew: Anew) -> None:
    batch = world.batch(2)
    good, bad = world.take(batch, 2)
    world.say(finish(good), finish(bad, failed()))
    changes = told(world.ledger)
    retried(world, batch)
    changes += told(world.ledger)
    world.clock.go(seconds=1)
    (again,) = world.take(batch)
    world.say(finish(again, success(pages=5)))
    changes += told(world.ledger)
    made = anew(changes=changes)
    assert made.items(batch) == world.items(batch)
    assert made.now(batch) == world.now(batch)
    assert made.pages() == world.pages() == 7


def test_a_retry_that_ended_before_anybody_looked_has_its_last_end(world: World, anew: Anew) -> None:
    batch = world.batch(1)
    (bad,) = world.take(batch)
    world.say(finish(bad, failed()))
    changes = told(world.ledger)
    retried(world, batch)
    world.clock.go(seconds=1)
    (again,) = world.take(batch)
    world.say(finish(again, failed("internal_error")))
    changes += told(world.ledger)
    made = anew(changes=changes)
    assert [(item.error_code, item.attempts) for item in made.items(batch)] == [("internal_error", 2)]


def test_a_cancel_that_a_retry_has_undone_cancels_nothing_in_a_ledger_made_anew(world: World, anew: Anew) -> None:
    batch = world.batch(2)
    (bad,) = world.take(batch)
    world.say(begin(bad))
    world.ledger.batches.cancel(batch.customer_id, batch.batch_id)
    changes = told(world.ledger)
    world.clock.go(seconds=1)
    world.say(finish(bad, failed()))
    changes += told(world.ledger)
    retried(world, batch)
    changes += told(world.ledger)
    made = anew(changes=changes)
    assert [item.status.value for item in made.items(batch)] == ["pending", "cancelled"]
    assert made.now(batch).cancel_requested_at is None


def test_an_item_that_is_read_again_keeps_result_bill_and_retry(world: World, anew: Anew) -> None:
    batch = world.batch()
    (item,) = world.take(batch)
    world.say(begin(item), finish(item, replace(success(4), failed_pages=2)))
    assert anew().items(batch) == world.items(batch)
    before = told(world.ledger, ArchivePosition())
    retry = Retry(customer_id=batch.customer_id, batch_id=batch.batch_id, failed_pages=True)
    assert world.ledger.batches.retry_failed(retry).items == 1
    (held,) = world.take(batch)
    world.say(begin(held))
    for changes in (None, before + told(world.ledger)):
        made = anew(changes=changes)
        (found,) = made.items(batch)
        assert (found.status, found.result_id, found.page_count) == (ItemStatus.PENDING, success(4).result_id, 4)
        assert (found.failed_pages, made.pages(), made.ledger.billing.differences()) == (2, 4, [])
        (again,) = made.take(batch)
        assert (again.lease_no > held.lease_no, again.failed_pages) == (True, 2)
        made.say(begin(again), finish(again, failed()))
        assert made.items(batch)[0].status is ItemStatus.SUCCEEDED
    world.ledger.batches.cancel(batch.customer_id, batch.batch_id)
    made = anew()
    assert (made.items(batch)[0].status, made.now(batch).status) == (ItemStatus.SUCCEEDED, BatchStatus.COMPLETED)
