"""Customers, their keys and limits in DuckDB."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from octavo.batches import DEFAULT_ITEM_CAP, ApiKey, Customer
from octavo.identifiers import CustomerId, KeyId, new_customer_id, new_key_id
from octavo.ledger import refusals
from octavo.ledger.contract import LimitName, Principal, check_limits
from octavo.ledger.duckdb.snapshot import Snapshot
from octavo.ledger.duckdb.store import Facet, Store, read, write
from octavo.ledger.duckdb.tables import API_KEYS, CUSTOMERS
from octavo.ledger.duckdb.transaction import Transaction
from octavo.ledger.principals import Principals
from octavo.ledger.rows import KeyRow


def find_customer(view: Snapshot, customer_id: CustomerId) -> Customer:
    """Return one customer. Raises CustomerNotFound."""
    found = view.record(CUSTOMERS, "customer", customer_id=customer_id)
    if found is None:
        raise refusals.customer_not_found(customer_id)
    return found


def all_customers(view: Snapshot) -> list[Customer]:
    """Return all customers, oldest first."""
    return view.records(CUSTOMERS, "customers")


class DuckdbAccounts(Facet):
    """An `AccountLedger`."""

    def __init__(self, store: Store) -> None:
        super().__init__(store)
        self._principals = Principals()

    @write
    def ensure_customer(self, tx: Transaction, name: str) -> Customer:
        found = tx.record(CUSTOMERS, "customer_by_name", name=name)
        if found is not None:
            return found
        customer = Customer(
            customer_id=new_customer_id(),
            name=name,
            enabled=True,
            item_cap=DEFAULT_ITEM_CAP,
            created_at=tx.now,
        )
        CUSTOMERS.insert_rows(tx, [customer])
        return customer

    @read
    def customer(self, view: Snapshot, customer_id: CustomerId) -> Customer:
        return find_customer(view, customer_id)

    @read
    def customers(self, view: Snapshot) -> list[Customer]:
        return all_customers(view)

    def update_customer(
        self, customer_id: CustomerId, *, enabled: bool | None = None, item_cap: int | None = None
    ) -> Customer:
        changed = self._update_customer(customer_id, enabled, item_cap)
        self._principals.forget()
        return changed

    @write
    def _update_customer(
        self, tx: Transaction, customer_id: CustomerId, enabled: bool | None, item_cap: int | None
    ) -> Customer:
        before = find_customer(tx, customer_id)
        if item_cap is not None and item_cap < 1:
            raise refusals.bad_cap(item_cap)
        changed = replace(
            before,
            enabled=before.enabled if enabled is None else enabled,
            item_cap=before.item_cap if item_cap is None else item_cap,
        )
        CUSTOMERS.update(tx, [changed])
        tx.forget_limits()
        tx.has_news = True
        return changed

    def set_limits(self, customer_id: CustomerId, limits: Mapping[LimitName, int | None]) -> Customer:
        check_limits(limits)
        changed = self._set_limits(customer_id, limits)
        self._principals.forget()
        return changed

    @write
    def _set_limits(self, tx: Transaction, customer_id: CustomerId, limits: Mapping[LimitName, int | None]) -> Customer:
        named: dict[str, Any] = {str(name): value for name, value in limits.items()}
        changed = replace(find_customer(tx, customer_id), **named)
        CUSTOMERS.update(tx, [changed])
        tx.forget_limits()
        return changed

    @write
    def add_key(
        self,
        tx: Transaction,
        customer_id: CustomerId,
        *,
        prefix: str,
        digest: str,
        label: str = "",
        uploads_only: bool = False,
    ) -> ApiKey:
        find_customer(tx, customer_id)
        key = KeyRow(
            key_id=new_key_id(),
            customer_id=customer_id,
            prefix=prefix,
            digest=digest,
            label=label,
            created_at=tx.now,
            revoked_at=None,
            uploads_only=uploads_only,
        )
        API_KEYS.insert_rows(tx, [key])
        return key.record()

    @read
    def keys(self, view: Snapshot, customer_id: CustomerId) -> list[ApiKey]:
        find_customer(view, customer_id)
        return [row.record() for row in view.records(API_KEYS, "keys", customer_id=customer_id)]

    def revoke_key(self, key_id: str) -> ApiKey | None:
        revoked = self._revoke_key(KeyId(key_id))
        self._principals.forget()
        return revoked

    @write
    def _revoke_key(self, tx: Transaction, key_id: KeyId) -> ApiKey | None:
        found = tx.record(API_KEYS, "key", key_id=key_id)
        if found is None:
            return None
        if found.revoked_at is None:
            found = replace(found, revoked_at=tx.now)
            API_KEYS.update(tx, [found], "revoked_at")
        return found.record()

    def principal(self, digest: str) -> Principal | None:
        return self._principals.find(digest, lambda: self._principal(digest))

    def remembered_principal(self, digest: str) -> Principal | None:
        return self._principals.remembered(digest)

    @read
    def _principal(self, view: Snapshot, digest: str) -> Principal | None:
        found = view.row("principal", digest=digest)
        if found is None:
            return None
        width = len(CUSTOMERS.columns)
        return Principal(CUSTOMERS.read(found[:width]), API_KEYS.read(found[width:]).record())

    def forget_principals(self) -> None:
        """Forget who holds which key: the ledger is closed."""
        self._principals.forget()
