"""The ledger that ships as a fake: plain dicts under one lock, the same rules, nothing kept.

For tests and for trying things out. What it forgets on exit is everything.
"""

import threading
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta

from octavo.batches import (
    DEFAULT_ITEM_CAP,
    ApiKey,
    Batch,
    BatchStatus,
    ClaimedItem,
    Customer,
    FileStatus,
    Item,
    ItemStatus,
    NewBatch,
    Run,
    RunStatus,
    StagedFile,
)
from octavo.errors import OctavoError
from octavo.identifiers import (
    BatchId,
    CustomerId,
    FileId,
    ItemId,
    KeyId,
    RunId,
    WorkerId,
    new_customer_id,
    new_item_id,
    new_key_id,
)
from octavo.ledger import refusals, rules
from octavo.ledger.allotment import Allotment, Answer, Turns, Waiting, end_waits
from octavo.ledger.contract import (
    BatchCursor,
    Claim,
    ClaimRequest,
    HeldLanes,
    ItemCursor,
    OpenBatch,
    Principal,
    Pruned,
    Report,
    Tell,
    Verdict,
)
from octavo.ledger.memory_accounts import MemoryAccounts
from octavo.ledger.memory_archive import MemoryArchive
from octavo.ledger.memory_lifetimes import MemoryLifetimes
from octavo.ledger.memory_progress import MemoryProgress
from octavo.ledger.memory_reading import MemoryReading
from octavo.ledger.memory_webhooks import MemoryWebhooks
from octavo.ledger.rows import BatchRow, ItemRow, SliceRow, UsageRow
from octavo.ledger.watching import Watches
from octavo.timestamps import Clock, now


class MemoryLedger(MemoryLifetimes, MemoryArchive, MemoryWebhooks, MemoryAccounts, MemoryReading, MemoryProgress):
    """A `Ledger` in memory; `clock` tells the time wherever the contract speaks of it."""

    def __init__(self, clock: Clock = now) -> None:
        MemoryArchive.__init__(self)
        MemoryLifetimes.__init__(self)
        self._clock = clock
        self._lock = threading.RLock()
        self._closed = False
        self._last_commit = datetime.min.replace(tzinfo=UTC)
        self._customers: dict[CustomerId, Customer] = {}
        self._keys: dict[KeyId, ApiKey] = {}
        self._digests: dict[str, KeyId] = {}
        self._files: dict[FileId, StagedFile] = {}
        self._batches: dict[BatchId, BatchRow] = {}
        self._items: dict[ItemId, ItemRow] = {}
        self._items_of: dict[BatchId, list[ItemRow]] = defaultdict(list)
        self._slices: dict[str, SliceRow] = {}
        self._runs: dict[tuple[BatchId, int], Run] = {}
        self._idempotency: dict[tuple[CustomerId, str], tuple[str, BatchId, datetime]] = {}
        self._usage: dict[ItemId, UsageRow] = {}
        self._waiting: list[Waiting] = []
        self._turns = Turns()
        self._watches = Watches()

    def close(self) -> None:
        """Refuse everything from now on, also what waits."""
        with self._lock:
            self._closed = True
            waiting, self._waiting = self._waiting, []
            for one in waiting:
                one.tell(refusals.closed())

    def _enter(self) -> threading.RLock:
        if self._closed:
            raise refusals.closed()
        return self._lock

    # Customers and keys

    def ensure_customer(self, name: str) -> Customer:
        with self._enter():
            for customer in self._customers.values():
                if customer.name == name:
                    return customer
            made = Customer(
                customer_id=new_customer_id(),
                name=name,
                enabled=True,
                item_cap=DEFAULT_ITEM_CAP,
                created_at=self._clock(),
            )
            self._customers[made.customer_id] = made
            return made

    def customer(self, customer_id: CustomerId) -> Customer:
        with self._enter():
            if customer_id not in self._customers:
                raise refusals.customer_not_found(customer_id)
            return self._customers[customer_id]

    def customers(self) -> list[Customer]:
        with self._enter():
            return sorted(self._customers.values(), key=lambda one: (one.created_at, one.customer_id))

    def update_customer(
        self, customer_id: CustomerId, *, enabled: bool | None = None, item_cap: int | None = None
    ) -> Customer:
        with self._enter():
            customer = self.customer(customer_id)
            if item_cap is not None and item_cap < 1:
                raise refusals.bad_cap(item_cap)
            customer = replace(
                customer,
                enabled=customer.enabled if enabled is None else enabled,
                item_cap=customer.item_cap if item_cap is None else item_cap,
            )
            self._customers[customer_id] = customer
            self._serve()
            return customer

    def add_key(
        self, customer_id: CustomerId, *, prefix: str, digest: str, label: str = "", uploads_only: bool = False
    ) -> ApiKey:
        with self._enter():
            self.customer(customer_id)
            if digest in self._digests:
                raise refusals.taken_already("key")
            key = ApiKey(
                key_id=new_key_id(),
                customer_id=customer_id,
                prefix=prefix,
                label=label,
                created_at=self._clock(),
                revoked_at=None,
                uploads_only=uploads_only,
            )
            self._keys[key.key_id] = key
            self._digests[digest] = key.key_id
            return key

    def keys(self, customer_id: CustomerId) -> list[ApiKey]:
        with self._enter():
            self.customer(customer_id)
            held = [key for key in self._keys.values() if key.customer_id == customer_id]
            return sorted(held, key=lambda key: (key.created_at, key.key_id))

    def revoke_key(self, key_id: str) -> ApiKey | None:
        with self._enter():
            key = self._keys.get(KeyId(key_id))
            if key is not None and key.revoked_at is None:
                key = self._keys[key.key_id] = replace(key, revoked_at=self._clock())
            return key

    def principal(self, digest: str) -> Principal | None:
        with self._enter():
            key_id = self._digests.get(digest)
            if key_id is None or self._keys[key_id].revoked_at is not None:
                return None
            key = self._keys[key_id]
            return Principal(self._customers[key.customer_id], key)

    # Files

    def add_files(self, files: Sequence[StagedFile]) -> None:
        with self._enter():
            fresh = {file.file_id: file for file in files}
            if len(fresh) < len(files) or fresh.keys() & self._files.keys():
                raise refusals.taken_already("file")
            self._files.update(fresh)
            self._file_log += fresh

    def files(self, customer_id: CustomerId, file_ids: Sequence[FileId]) -> dict[FileId, StagedFile]:
        with self._enter():
            held = {file_id: self._files[file_id] for file_id in file_ids if file_id in self._files}
            return {
                file_id: replace(file, status=FileStatus.EXPIRED) if self._has_expired(file) else file
                for file_id, file in held.items()
                if file.customer_id == customer_id and file.status is not FileStatus.DELETED
            }

    def mark_ready(self, file_ids: Sequence[FileId]) -> None:
        with self._enter():
            for file in [self._files[file_id] for file_id in file_ids if file_id in self._files]:
                if file.status is FileStatus.PENDING and not self._has_expired(file):
                    self._files[file.file_id] = replace(file, status=FileStatus.READY)

    def _has_expired(self, file: StagedFile) -> bool:
        if file.status is FileStatus.EXPIRED or file.expires_at > self._clock():
            return file.status is FileStatus.EXPIRED
        return all(item.status.is_terminal for item in self._items.values() if item.file_id == file.file_id)

    # Batches

    def replay(self, customer_id: CustomerId, idempotency_key: str, body_digest: str) -> Batch | None:
        with self._enter():
            known = self._idempotency.get((customer_id, idempotency_key))
            if known is None or known[2] <= self._clock() - rules.IDEMPOTENCY_WINDOW:
                return None
            if known[0] != body_digest:
                raise refusals.idempotency_key_reused()
            return self._batches[known[1]].record()

    def create_batch(self, new: NewBatch) -> tuple[Batch, bool]:
        rules.check_batch(new)
        with self._enter():
            if new.idempotency_key is not None:
                earlier = self.replay(new.customer_id, new.idempotency_key, new.body_digest)
                if earlier is not None:
                    return earlier, False
            self._check_files(new)
            if new.batch_id in self._batches:
                raise refusals.taken_already("batch")
            moment = self._stamp()()
            batch = self._batches[new.batch_id] = rules.new_batch_row(new, moment)
            self._batch_log.append(new.batch_id)
            item_ids = sorted(new_item_id() for _ in new.file_ids)
            for position, (item_id, file_id) in enumerate(zip(item_ids, new.file_ids, strict=True)):
                row = ItemRow(
                    item_id=item_id,
                    batch_id=new.batch_id,
                    file_id=file_id,
                    position=position,
                    created_at=moment,
                    updated_at=moment,
                )
                self._items[item_id] = row
                self._items_of[new.batch_id].append(row)
            if new.idempotency_key is not None:
                key = (new.customer_id, new.idempotency_key)
                self._idempotency[key] = (new.body_digest, new.batch_id, self._clock())
            self._last_commit = moment
            return batch.record(), True

    def _check_files(self, new: NewBatch) -> None:
        held = self.files(new.customer_id, new.file_ids)
        wanted = list(dict.fromkeys(new.file_ids))
        unknown = [one for one in wanted if one not in held or held[one].status is FileStatus.EXPIRED]
        if unknown:
            raise refusals.unknown_files(unknown)
        missing = [one for one in wanted if held[one].status is FileStatus.PENDING]
        if missing:
            raise refusals.files_not_uploaded(missing)

    def _batch_row(self, batch_id: BatchId, customer_id: CustomerId | None = None) -> BatchRow:
        batch = self._batches.get(batch_id)
        if batch is None or customer_id not in (None, batch.customer_id):
            raise refusals.batch_not_found(batch_id)
        return batch

    def batch(self, customer_id: CustomerId, batch_id: BatchId) -> Batch:
        with self._enter():
            return self._batch_row(batch_id, customer_id).record()

    def batches(
        self,
        customer_id: CustomerId,
        *,
        status: BatchStatus | None = None,
        after: BatchCursor | None = None,
        limit: int = 50,
    ) -> list[Batch]:
        with self._enter():
            found = [
                row.record()
                for row in self._batches.values()
                if row.customer_id == customer_id
                and status in (None, row.status)
                and (after is None or (row.created_at, row.batch_id) < (after.created_at, after.batch_id))
            ]
            found.sort(key=lambda batch: (batch.created_at, batch.batch_id), reverse=True)
            return found[:limit]

    def items(self, batch_id: BatchId, *, after: ItemCursor | None = None, limit: int = 100) -> list[Item]:
        with self._enter():
            found = [
                row
                for row in self._items_of.get(batch_id, ())
                if after is None or (row.updated_at, row.item_id) > (after.updated_at, after.item_id)
            ]
            found.sort(key=lambda row: (row.updated_at, row.item_id))
            return [row.record() for row in found[:limit]]

    def item(self, batch_id: BatchId, item_id: ItemId) -> Item:
        with self._enter():
            row = self._items.get(item_id)
            if row is None or row.batch_id != batch_id:
                raise refusals.item_not_found(batch_id, item_id)
            return row.record()

    def cancel_batch(self, customer_id: CustomerId, batch_id: BatchId) -> Batch:
        with self._enter():
            batch = self._batch_row(batch_id, customer_id)
            if not batch.status.is_terminal:
                work = self._work()
                pending = [row for row in self._items_of[batch_id] if row.status is ItemStatus.PENDING]
                work.cancel(batch, pending)
                self._commit(work)
                self._serve()
            return batch.record()

    # Work

    def claim(self, request: ClaimRequest) -> Claim:
        told: list[Answer] = []
        self._ask(Waiting(request, told.append, stays=False))
        (answer,) = told
        if isinstance(answer, OctavoError):
            raise answer
        return answer

    def stand(self, request: ClaimRequest, tell: Tell) -> None:
        self._ask(Waiting(request, tell, stays=True))

    def step_back(self, *, run_id: RunId | None = None, worker_id: WorkerId | None = None) -> None:
        with self._enter():
            end_waits(self._waiting, run_id=run_id, worker_id=worker_id)
            self._serve()

    def _ask(self, asked: Waiting) -> None:
        rules.check_claim(asked.request)
        with self._enter():
            self._mark_active(asked.request)
            end_waits(self._waiting, run_id=asked.request.run_id)
            self._waiting.append(asked)
            self._serve()

    def _mark_active(self, request: ClaimRequest) -> None:
        run = self.run(request.run_id)
        if run is not None and not rules.is_over(run) and request.batch_id in self._batches:
            self._keep(rules.claimed_by(run, request.worker_id, self._clock()))

    def _serve(self) -> None:
        """Hand out what is free to the claims that wait."""
        if not self._waiting:
            return
        work = self._work()
        allotment = Allotment(
            work,
            caps={customer_id: customer.item_cap for customer_id, customer in self._customers.items()},
            runs={run.run_id: run for run in self._runs.values() if run.run_id is not None},
            slices=list(self._slices.values()),
            free=self._take_free,
            claimed=self._claimed,
            turns=self._turns,
            now=self._clock(),
        )
        answers = allotment.serve(self._waiting)
        answered = {one for one, _ in answers}
        self._waiting = [one for one in self._waiting if one not in answered]
        for one, answer in answers:
            one.tell(answer)

    def _take_free(self, batch: BatchRow, size: int) -> Sequence[ItemRow]:
        free = [row for row in self._items_of[batch.batch_id] if rules.is_free(row)][:size]
        return free[: rules.fitting(free, size)]

    def _claimed(self, item: ItemRow, customer_id: CustomerId) -> ClaimedItem:
        file = self._files[item.file_id]
        return ClaimedItem(
            item_id=item.item_id,
            batch_id=item.batch_id,
            customer_id=customer_id,
            file_id=item.file_id,
            position=item.position,
            lease_no=item.lease_no,
            attempts=item.attempts,
            lost_leases=item.lost_leases,
            object_key=file.object_key,
            filename=file.filename,
            content_type=file.content_type,
            size_bytes=file.size_bytes,
            reserves_pages=self._customers[customer_id].page_quota is not None and item.result_id is None,
            result_id=item.result_id,
            failed_pages=item.failed_pages,
        )

    def report(self, reports: Sequence[Report]) -> list[Verdict]:
        rules.check_reports(reports)
        with self._enter():
            work = self._work()
            accepted = [work.report(report) for report in reports]
            self._commit(work)
            self._serve()
            return [work.verdict(one, accepted=yes) for one, yes in zip(reports, accepted, strict=True)]

    def renew(self, worker_id: WorkerId, slice_ids: Sequence[str], lease_seconds: float) -> list[str]:
        with self._enter():
            expires_at = self._clock() + timedelta(seconds=lease_seconds)
            gone = []
            for slice_id in slice_ids:
                row = self._slices.get(slice_id)
                if row is None or row.worker_id != worker_id:
                    gone.append(slice_id)
                else:
                    row.expires_at = expires_at
            return gone

    def revoke(self, *, worker_id: WorkerId | None = None, run_id: RunId | None = None) -> list[BatchId]:
        rules.check_revoke(worker_id, run_id)
        with self._enter():
            batch_ids = self._give_back(
                row.slice_id
                for row in self._slices.values()
                if (row.worker_id == worker_id if run_id is None else row.run_id == run_id)
            )
            for run in list(self._runs.values()):
                named = run.worker_id == worker_id if run_id is None else run.run_id == run_id
                if named and not rules.is_over(run):
                    self._keep(replace(run, status=RunStatus.LOST))
                    batch_ids.add(run.batch_id)
            end_waits(self._waiting, worker_id=worker_id)
            self._serve()
            return sorted(batch_ids)

    def expire_leases(self) -> list[BatchId]:
        with self._enter():
            moment = self._clock()
            expired = [row.slice_id for row in self._slices.values() if row.expires_at <= moment]
            batch_ids = self._give_back(expired)
            self._serve()
            return sorted(batch_ids)

    def workers(self) -> list[WorkerId]:
        with self._enter():
            busy = {row.worker_id for row in self._slices.values()}
            for run in self._runs.values():
                if run.worker_id is not None and not rules.is_over(run):
                    busy.add(run.worker_id)
            return sorted(busy)

    def held_lanes(self) -> list[HeldLanes]:
        with self._enter():
            counts = Counter((row.customer_id, row.worker_id) for row in self._slices.values())
            return [HeldLanes(*holder, lanes) for holder, lanes in sorted(counts.items())]

    # Runs

    def add_run(self, batch_id: BatchId) -> Run:
        with self._enter():
            batch = self._batch_row(batch_id)
            moment = self._clock()
            run = Run(
                batch_id=batch_id,
                customer_id=batch.customer_id,
                run_no=1 + max((no for of, no in self._runs if of == batch_id), default=0),
                run_id=None,
                worker_id=None,
                status=RunStatus.STARTING,
                created_at=moment,
                seen_at=moment,
            )
            self._keep(run)
            return run

    def name_run(self, batch_id: BatchId, run_no: int, run_id: RunId) -> None:
        with self._enter():
            run = self._runs.get((batch_id, run_no))
            if run is None:
                raise refusals.batch_not_found(batch_id)
            self._keep(replace(run, run_id=run_id))

    def open_run(self, run_id: RunId, worker_id: WorkerId) -> Run | None:
        with self._enter():
            run = self.run(run_id)
            return None if run is None else self._keep(rules.opened(run, worker_id, self._clock()))

    def end_run(self, run_id: RunId, status: RunStatus = RunStatus.ENDED) -> Run | None:
        rules.check_end(status)
        with self._enter():
            held = [row.slice_id for row in self._slices.values() if row.run_id == run_id]
            self._give_back(held, lost=False)
            run = self.run(run_id)
            if run is not None:
                run = self._keep(rules.ended(run, status))
            self._serve()
            return run

    def see_runs(self, run_ids: Sequence[RunId]) -> None:
        with self._enter():
            for run in [run for run in self._runs.values() if run.run_id in set(run_ids)]:
                self._keep(replace(run, seen_at=self._clock()))

    def run(self, run_id: RunId) -> Run | None:
        with self._enter():
            return next((run for run in self._runs.values() if run.run_id == run_id), None)

    def lost_runs(self) -> list[Run]:
        with self._enter():
            lost = [run for run in self._runs.values() if run.status is RunStatus.LOST]
            return sorted(lost, key=lambda run: (run.created_at, run.batch_id, run.run_no))

    def forget_lost_run(self, batch_id: BatchId, run_no: int) -> None:
        with self._enter():
            run = self._runs.get((batch_id, run_no))
            if run is not None and run.status is RunStatus.LOST:
                self._keep(replace(run, status=RunStatus.ENDED))

    def starting_runs(self) -> list[Run]:
        with self._enter():
            starting = [run for run in self._runs.values() if run.status is RunStatus.STARTING]
            return sorted(starting, key=lambda run: (run.created_at, run.batch_id, run.run_no))

    def open_batches(self) -> list[OpenBatch]:
        with self._enter():
            rows = [row for row in self._batches.values() if not row.status.is_terminal]
            rows.sort(key=lambda row: (row.created_at, row.batch_id))
            return [
                OpenBatch(batch=row.record(), unleased=row.unleased, runs=self._open_runs(row.batch_id)) for row in rows
            ]

    def _open_runs(self, batch_id: BatchId) -> tuple[Run, ...]:
        runs = [run for run in self._runs.values() if run.batch_id == batch_id and not rules.is_over(run)]
        return tuple(sorted(runs, key=lambda run: run.run_no))

    def _keep(self, run: Run) -> Run:
        self._runs[run.batch_id, run.run_no] = run
        return run

    # Pruning

    def prune(self, runs_seen_before: datetime) -> Pruned:
        with self._enter():
            moment = self._clock()
            runs = [
                key
                for key, run in self._runs.items()
                if run.status is RunStatus.ENDED
                and run.seen_at < runs_seen_before
                and self._may_not_go_on(run.batch_id, moment)
            ]
            keys = [key for key, (_, _, kept) in self._idempotency.items() if kept <= moment - rules.IDEMPOTENCY_WINDOW]
            for run_key in runs:
                del self._runs[run_key]
            for key in keys:
                del self._idempotency[key]
            return Pruned(runs=len(runs), idempotency_keys=len(keys))

    def _may_not_go_on(self, batch_id: BatchId, moment: datetime) -> bool:
        batch = self._batches.get(batch_id)
        return batch is None or (batch.completed_at is not None and batch.expires_at < moment)

    # Usage

    def pages_used(self, customer_id: CustomerId) -> int:
        with self._enter():
            return sum(row.pages for row in self._usage.values() if row.customer_id == customer_id)

    # Commits

    def _stamp(self) -> rules.Stamp:
        return rules.Stamp(self._clock(), self._last_commit)

    def _work(self) -> rules.Work:
        return rules.Work(self._items, self._batches, self._slices, self._stamp(), self._quotas())

    def _give_back(self, slice_ids: Iterable[str], *, lost: bool = True) -> set[BatchId]:
        work = self._work()
        batch_ids = work.give_back_slices(slice_ids, lost=lost)
        self._commit(work)
        return batch_ids

    def _commit(self, work: rules.Work) -> None:
        for slice_id in work.closed_slices:
            del self._slices[slice_id]
        for row in work.usage:
            self._usage[row.item_id] = row
        for file_id, sha256 in work.sha256.items():
            self._files[file_id] = replace(self._files[file_id], sha256=sha256)
        if work.stamp.used:
            self._last_commit = work.stamp()
        self._tell_of_ends(work.ended_batches)
        self._watches.tell({*work.changed_batches, *(item.batch_id for item in work.progressed_items.values())})
