"""Customers, their keys and limits in DuckDB."""

from collections.abc import Mapping

from octavo.batches import DEFAULT_ITEM_CAP, ApiKey, Customer
from octavo.identifiers import CustomerId, KeyId, new_customer_id, new_key_id
from octavo.ledger import refusals
from octavo.ledger.contract import LimitName, Principal, check_limits
from octavo.ledger.duckdb.snapshot import Row, Snapshot, aware, utc
from octavo.ledger.duckdb.store import Facet, Store, read, write
from octavo.ledger.duckdb.transaction import Transaction
from octavo.ledger.principals import Principals


def customer_record(row: Row) -> Customer:
    """Return a customer from the columns every customer statement selects."""
    customer_id, name, enabled, item_cap, created_at, submissions_per_minute, page_quota, retention_seconds = row
    return Customer(
        customer_id=customer_id,
        name=name,
        enabled=enabled,
        item_cap=item_cap,
        created_at=utc(created_at),
        submissions_per_minute=submissions_per_minute,
        page_quota=page_quota,
        retention_seconds=retention_seconds,
    )


def key_record(row: Row) -> ApiKey:
    """Return a key from the columns every key statement selects."""
    key_id, customer_id, prefix, label, created_at, revoked_at, uploads_only = row
    return ApiKey(
        key_id=key_id,
        customer_id=customer_id,
        prefix=prefix,
        label=label,
        created_at=utc(created_at),
        revoked_at=aware(revoked_at),
        uploads_only=uploads_only,
    )


def find_customer(view: Snapshot, customer_id: CustomerId) -> Customer:
    """Return one customer. Raises CustomerNotFound."""
    found = view.row("customer", customer_id=customer_id)
    if found is None:
        raise refusals.customer_not_found(customer_id)
    return customer_record(found)


def all_customers(view: Snapshot) -> list[Customer]:
    """Return all customers, oldest first."""
    return [customer_record(row) for row in view.rows("customers")]


class DuckdbAccounts(Facet):
    """An `AccountLedger`."""

    def __init__(self, store: Store) -> None:
        super().__init__(store)
        self._principals = Principals()

    @write
    def ensure_customer(self, tx: Transaction, name: str) -> Customer:
        found = tx.row("customer_by_name", name=name)
        if found is not None:
            return customer_record(found)
        customer = Customer(
            customer_id=new_customer_id(),
            name=name,
            enabled=True,
            item_cap=DEFAULT_ITEM_CAP,
            created_at=tx.now,
        )
        tx.rows(
            "add_customer",
            customer_id=customer.customer_id,
            name=name,
            enabled=customer.enabled,
            item_cap=customer.item_cap,
            created_at=customer.created_at,
        )
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
        tx.rows(
            "update_customer",
            customer_id=customer_id,
            enabled=before.enabled if enabled is None else enabled,
            item_cap=before.item_cap if item_cap is None else item_cap,
        )
        tx.forget_limits()
        tx.has_news = True
        return find_customer(tx, customer_id)

    def set_limits(self, customer_id: CustomerId, limits: Mapping[LimitName, int | None]) -> Customer:
        check_limits(limits)
        changed = self._set_limits(customer_id, limits)
        self._principals.forget()
        return changed

    @write
    def _set_limits(self, tx: Transaction, customer_id: CustomerId, limits: Mapping[LimitName, int | None]) -> Customer:
        before = find_customer(tx, customer_id)
        kept: dict[LimitName, int | None] = {
            "submissions_per_minute": before.submissions_per_minute,
            "page_quota": before.page_quota,
            "retention_seconds": before.retention_seconds,
        }
        tx.rows("set_limits", customer_id=customer_id, **(kept | dict(limits)))
        tx.forget_limits()
        return find_customer(tx, customer_id)

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
        key = ApiKey(
            key_id=new_key_id(),
            customer_id=customer_id,
            prefix=prefix,
            label=label,
            created_at=tx.now,
            revoked_at=None,
            uploads_only=uploads_only,
        )
        tx.rows(
            "add_key",
            key_id=key.key_id,
            customer_id=key.customer_id,
            prefix=key.prefix,
            digest=digest,
            label=key.label,
            created_at=key.created_at,
            uploads_only=key.uploads_only,
        )
        return key

    @read
    def keys(self, view: Snapshot, customer_id: CustomerId) -> list[ApiKey]:
        find_customer(view, customer_id)
        return [key_record(row) for row in view.rows("keys", customer_id=customer_id)]

    def revoke_key(self, key_id: str) -> ApiKey | None:
        revoked = self._revoke_key(KeyId(key_id))
        self._principals.forget()
        return revoked

    @write
    def _revoke_key(self, tx: Transaction, key_id: KeyId) -> ApiKey | None:
        found = tx.row("key", key_id=key_id)
        if found is None:
            return None
        if key_record(found).revoked_at is None:
            tx.rows("revoke_key", key_id=key_id, revoked_at=tx.now)
            found = tx.rows("key", key_id=key_id)[0]
        return key_record(found)

    def principal(self, digest: str) -> Principal | None:
        return self._principals.find(digest, lambda: self._principal(digest))

    @read
    def _principal(self, view: Snapshot, digest: str) -> Principal | None:
        found = view.row("principal", digest=digest)
        return None if found is None else Principal(customer_record(found[:8]), key_record(found[8:]))

    def forget_principals(self) -> None:
        """Forget who holds which key: the ledger is closed."""
        self._principals.forget()
