"""Who holds which key is cached, and never longer than it is true."""

from pathlib import Path

import pytest

from octavo.errors import LedgerUnavailable
from octavo.ledger.contract import Principal
from octavo.ledger.duckdb import DuckdbLedger
from octavo.ledger.principals import Principals


def test_a_change_is_seen_at_once(tmp_path: Path) -> None:
    ledger = DuckdbLedger(tmp_path / "ledger.duckdb")
    customer = ledger.accounts.ensure_customer("acme")
    key = ledger.accounts.add_key(customer.customer_id, prefix="p", digest="d")
    assert ledger.accounts.principal("d") == ledger.accounts.principal("d") == Principal(customer, key)
    ledger.accounts.update_customer(customer.customer_id, enabled=False)
    found = ledger.accounts.principal("d")
    assert found is not None
    assert not found.customer.enabled
    ledger.accounts.set_limits(customer.customer_id, {"page_quota": 5})
    found = ledger.accounts.principal("d")
    assert found is not None
    assert found.customer.page_quota == 5
    ledger.accounts.revoke_key(key.key_id)
    assert ledger.accounts.principal("d") is None
    ledger.close()
    with pytest.raises(LedgerUnavailable):
        ledger.accounts.principal("d")


def test_what_was_looked_up_while_something_changed_is_not_remembered(tmp_path: Path) -> None:
    ledger = DuckdbLedger(tmp_path / "ledger.duckdb")
    customer = ledger.accounts.ensure_customer("acme")
    before = Principal(customer, ledger.accounts.add_key(customer.customer_id, prefix="p", digest="d"))
    principals = Principals()

    def look_slowly() -> Principal:
        principals.forget()  # as a commit does in the meantime
        return before

    assert principals.find("d", look_slowly) is before
    assert principals.find("d", lambda: None) is None
    ledger.close()
