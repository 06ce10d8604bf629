"""Sync extractions in the ledger: what they are billed, and nothing else."""

import pytest

from octavo.identifiers import new_call_id
from octavo.ledger.contract import PageAccount
from tests.contract.ledger.test_archive import told
from tests.contract.ledger.world import World


def test_a_call_is_billed_once(world: World) -> None:
    owner, call_id = world.customer.customer_id, new_call_id()
    assert world.ledger.billing.bill_call(owner, call_id, 3)
    with pytest.raises(ValueError, match=r"billed|already"):
        world.ledger.billing.bill_call(owner, call_id, 3)
    assert world.ledger.billing.pages_used(owner) == 3
    today = world.clock().date()
    (day,) = world.ledger.billing.usage(today, today)
    assert (day.pages, day.items, day.batches) == (3, 1, 0)
    assert world.ledger.billing.differences() == []


def test_a_call_over_the_quota_is_not_billed(world: World) -> None:
    owner = world.customer.customer_id
    world.ledger.accounts.set_limits(owner, {"page_quota": 4})
    assert world.ledger.billing.bill_call(owner, new_call_id(), 3)
    assert not world.ledger.billing.bill_call(owner, new_call_id(), 2)
    assert world.ledger.billing.bill_call(owner, new_call_id(), 1)
    assert world.ledger.billing.page_account(owner) == PageAccount(limit=4, used=4, reserved=0)


def test_the_archive_is_told_what_calls_were_billed(world: World) -> None:
    owner = world.customer.customer_id
    world.ledger.billing.bill_call(owner, new_call_id(), 3)
    changes = told(world.ledger)
    assert [row.pages for change in changes if change.deletions for row in change.deletions.usage] == [3]
