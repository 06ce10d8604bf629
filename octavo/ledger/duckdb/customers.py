"""Customers and their keys in DuckDB."""

from dataclasses import dataclass

from octavo.batches import DEFAULT_ITEM_CAP, ApiKey, Customer
from octavo.identifiers import CustomerId, KeyId, new_customer_id, new_key_id
from octavo.ledger import refusals
from octavo.ledger.contract import Principal
from octavo.ledger.duckdb.snapshot import Row, Snapshot, aware, utc
from octavo.ledger.duckdb.transaction import Transaction


@dataclass(frozen=True, slots=True)
class CustomerChange:
    """What `update_customer` is asked."""

    customer_id: CustomerId
    enabled: bool | None
    item_cap: int | None


@dataclass(frozen=True, slots=True)
class NewKey:
    """What `add_key` is asked."""

    customer_id: CustomerId
    prefix: str
    digest: str
    label: str
    uploads_only: bool


def _customer(row: Row) -> Customer:
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


def ensure_customer(tx: Transaction, name: str) -> Customer:
    """Return the customer of that name, made if it is new."""
    found = tx.row("customer_by_name", name=name)
    if found is not None:
        return _customer(found)
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


def customer(view: Snapshot, customer_id: CustomerId) -> Customer:
    """Return one customer. Raises CustomerNotFound."""
    found = view.row("customer", customer_id=customer_id)
    if found is None:
        raise refusals.customer_not_found(customer_id)
    return _customer(found)


def customers(view: Snapshot) -> list[Customer]:
    """Return all customers, oldest first."""
    return [_customer(row) for row in view.rows("customers")]


def update_customer(tx: Transaction, change: CustomerChange) -> Customer:
    """Change what is given, keep the rest. Raises CustomerNotFound, ValueError."""
    before = customer(tx, change.customer_id)
    if change.item_cap is not None and change.item_cap < 1:
        raise refusals.bad_cap(change.item_cap)
    tx.rows(
        "update_customer",
        customer_id=change.customer_id,
        enabled=before.enabled if change.enabled is None else change.enabled,
        item_cap=before.item_cap if change.item_cap is None else change.item_cap,
    )
    tx.forget_limits()
    tx.has_news = True
    return customer(tx, change.customer_id)


def add_key(tx: Transaction, new: NewKey) -> ApiKey:
    """Keep a key by its digest. Raises CustomerNotFound."""
    customer(tx, new.customer_id)
    key = ApiKey(
        key_id=new_key_id(),
        customer_id=new.customer_id,
        prefix=new.prefix,
        label=new.label,
        created_at=tx.now,
        revoked_at=None,
        uploads_only=new.uploads_only,
    )
    tx.rows(
        "add_key",
        key_id=key.key_id,
        customer_id=key.customer_id,
        prefix=key.prefix,
        digest=new.digest,
        label=key.label,
        created_at=key.created_at,
        uploads_only=key.uploads_only,
    )
    return key


def keys(view: Snapshot, customer_id: CustomerId) -> list[ApiKey]:
    """Return a customer's keys, oldest first. Raises CustomerNotFound."""
    customer(view, customer_id)
    return [key_record(row) for row in view.rows("keys", customer_id=customer_id)]


def revoke_key(tx: Transaction, key_id: KeyId) -> ApiKey | None:
    """Revoke a key, again without harm; None when there is none."""
    found = tx.row("key", key_id=key_id)
    if found is None:
        return None
    if key_record(found).revoked_at is None:
        tx.rows("revoke_key", key_id=key_id, revoked_at=tx.now)
        found = tx.rows("key", key_id=key_id)[0]
    return key_record(found)


def principal(view: Snapshot, digest: str) -> Principal | None:
    """Return who holds the key with this digest; None for unknown and revoked ones."""
    found = view.row("principal", digest=digest)
    return None if found is None else Principal(_customer(found[:8]), key_record(found[8:]))


def pages_used(view: Snapshot, customer_id: CustomerId) -> int:
    """Return the sum of pages over the customer's usage rows."""
    return int(view.rows("pages_used", customer_id=customer_id)[0][0])
