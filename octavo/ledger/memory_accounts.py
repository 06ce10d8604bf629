"""The account part of the ledger in memory."""

import threading
from collections import defaultdict
from collections.abc import Iterator, Mapping, MutableMapping, MutableSequence, Sequence
from dataclasses import replace
from datetime import date, datetime, timedelta
from typing import Any

from octavo.batches import Customer, ItemStatus
from octavo.identifiers import BatchId, CallId, CustomerId, FileId, ItemId
from octavo.ledger import refusals, rules
from octavo.ledger.accounts import (
    BilledResult,
    DifferenceKind,
    LimitName,
    PageAccount,
    Reservation,
    UsageDay,
    UsageDifference,
    UsageTotals,
    check_limits,
    check_reservation,
)
from octavo.ledger.quotas import QuotaRow, Quotas, ReservationRow
from octavo.ledger.rows import BatchRow, ItemRow, UsageRow
from octavo.timestamps import Clock


class MemoryAccounts:
    """What `MemoryLedger` does for accounts; the tables are the ledger's, but for the reservations."""

    _clock: Clock
    _customers: MutableMapping[CustomerId, Customer]
    _batches: MutableMapping[BatchId, BatchRow]
    _items: MutableMapping[ItemId, ItemRow]
    _usage: MutableMapping[ItemId, UsageRow]
    _deletions: MutableSequence[BatchId | tuple[FileId, datetime]]

    def __init__(self) -> None:
        super().__init__()
        self._reservations: dict[ItemId, ReservationRow] = {}

    def _enter(self) -> threading.RLock:
        raise NotImplementedError

    def _work(self) -> rules.Work:
        raise NotImplementedError

    def _commit(self, work: rules.Work) -> None:
        raise NotImplementedError

    def set_limits(self, customer_id: CustomerId, limits: Mapping[LimitName, int | None]) -> Customer:
        check_limits(limits)
        with self._enter():
            named: dict[str, Any] = {str(name): value for name, value in limits.items()}
            changed = self._customers[customer_id] = replace(self._known(customer_id), **named)
            return changed

    def _known(self, customer_id: CustomerId) -> Customer:
        if customer_id not in self._customers:
            raise refusals.customer_not_found(customer_id)
        return self._customers[customer_id]

    def page_account(self, customer_id: CustomerId) -> PageAccount:
        with self._enter():
            return PageAccount(
                limit=self._known(customer_id).page_quota,
                used=self._billed(customer_id),
                reserved=sum(row.pages for row in self._reservations.values() if row.customer_id == customer_id),
            )

    def _billed(self, customer_id: CustomerId) -> int:
        return sum(row.pages for row in self._usage.values() if row.customer_id == customer_id)

    def _quotas(self) -> Quotas:
        return Quotas(self._reservations, MemoryQuotas(self))

    def reserve(self, asked: Reservation) -> bool:
        check_reservation(asked)
        with self._enter():
            work = self._work()
            is_reserved = work.reserve(asked)
            self._commit(work)
            return is_reserved

    def bill_call(self, customer_id: CustomerId, call_id: CallId, pages: int) -> bool:
        with self._enter():
            if ItemId(call_id) in self._usage:
                raise ValueError(f"call {call_id} was billed before")
            work = self._work()
            if not work.quotas.bill(ItemId(call_id), customer_id, pages):
                return False
            self._usage[ItemId(call_id)] = UsageRow(
                item_id=ItemId(call_id),
                batch_id=BatchId(call_id),
                customer_id=customer_id,
                pages=pages,
                created_at=self._clock(),
            )
            self._deletions.append(BatchId(call_id))
            self._commit(work)
            return True

    def usage(self, first: date, last: date, customer_id: CustomerId | None = None) -> list[UsageDay]:
        with self._enter():
            days: dict[tuple[date, CustomerId], list[UsageRow]] = defaultdict(list)
            for row in self._usage.values():
                if first <= row.created_at.date() <= last and customer_id in (None, row.customer_id):
                    days[row.created_at.date(), row.customer_id].append(row)
            return [
                UsageDay(
                    customer_id=owner,
                    date=day,
                    pages=sum(row.pages for row in rows),
                    items=len(rows),
                    batches=len({row.batch_id for row in rows if not row.batch_id.startswith("call_")}),
                )
                for (day, owner), rows in sorted(days.items())
            ]

    def usage_differences(self) -> list[UsageDifference]:
        with self._enter():
            found = [*self._not_billed(), *(one for row in self._usage.values() for one in self._differing(row))]
            return sorted(found, key=lambda one: (one.item_id, one.kind))

    def _not_billed(self) -> Iterator[UsageDifference]:
        for item in self._items.values():
            if item.status is ItemStatus.SUCCEEDED and item.item_id not in self._usage:
                yield UsageDifference(
                    kind=DifferenceKind.NOT_BILLED,
                    item_id=item.item_id,
                    batch_id=item.batch_id,
                    customer_id=self._batches[item.batch_id].customer_id,
                    billed=None,
                    found=str(item.page_count),
                )

    def _differing(self, row: UsageRow) -> Iterator[UsageDifference]:
        item, batch = self._items.get(row.item_id), self._batches.get(row.batch_id)
        found: list[tuple[DifferenceKind, object, object]] = []
        if batch is not None and batch.customer_id != row.customer_id:
            found.append((DifferenceKind.OTHER_CUSTOMER, row.customer_id, batch.customer_id))
        if item is None:
            found += [(DifferenceKind.NO_ITEM, row.item_id, None)] if batch else []
        elif item.status is not ItemStatus.SUCCEEDED and (item.result_id is None or item.status.is_terminal):
            found.append((DifferenceKind.NOT_SUCCEEDED, row.pages, item.status.value))
        elif item.completed_at is not None:
            found += [(DifferenceKind.OTHER_PAGES, row.pages, item.page_count)]
            if not _was_read_again(row, item, batch):
                found += [(DifferenceKind.OTHER_MOMENT, row.created_at, item.completed_at)]
        if item is not None:
            found.append((DifferenceKind.OTHER_BATCH, row.batch_id, item.batch_id))
        for kind, billed, counted in found:
            if billed != counted:
                yield UsageDifference(
                    kind=kind,
                    item_id=row.item_id,
                    batch_id=row.batch_id,
                    customer_id=row.customer_id,
                    billed=str(billed),
                    found=None if counted is None else str(counted),
                )

    def usage_totals(self) -> UsageTotals:
        with self._enter():
            rows = list(self._usage.values())
            gone = sum(row.batch_id not in self._batches for row in rows)
            return UsageTotals(items=len(rows), pages=sum(row.pages for row in rows), gone_items=gone)

    def billed_results(self, after: ItemId | None, limit: int) -> Sequence[BilledResult]:
        with self._enter():
            moment = self._clock()
            found = []
            for item_id in sorted(self._usage):
                item, row = self._items.get(item_id), self._usage[item_id]
                if item is None or item.result_id is None or item.completed_at is None or item_id <= (after or ""):
                    continue
                batch = self._batches[item.batch_id]
                if item.completed_at + timedelta(seconds=batch.retention_seconds) > moment:
                    found.append(
                        BilledResult(
                            item_id=item_id,
                            batch_id=item.batch_id,
                            customer_id=batch.customer_id,
                            result_id=item.result_id,
                            pages=row.pages,
                        )
                    )
            return found[:limit]


def _was_read_again(row: UsageRow, item: ItemRow, batch: BatchRow | None) -> bool:
    """Whether an item ended once more after it was billed, because items of its batch were run again."""
    retried_at = None if batch is None else batch.retried_at
    return (
        item.completed_at is not None
        and row.created_at < item.completed_at
        and (retried_at is not None and row.created_at < retried_at)
    )


class MemoryQuotas:
    """The accounts of one commit, looked up once."""

    def __init__(self, ledger: MemoryAccounts) -> None:
        self._ledger = ledger
        self._rows: dict[CustomerId, QuotaRow | None] = {}

    def __call__(self, customer_id: CustomerId) -> QuotaRow | None:
        """Return the account of a customer with a quota."""
        if customer_id not in self._rows:
            found = self._ledger.page_account(customer_id)
            self._rows[customer_id] = None if found.limit is None else QuotaRow(found.limit, found.used)
        return self._rows[customer_id]
