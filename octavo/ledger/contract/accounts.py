"""Customers, their keys and limits."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal, Protocol

from octavo.batches import ApiKey, Customer
from octavo.identifiers import CustomerId


@dataclass(frozen=True, slots=True)
class Principal:
    """Whose key a request carries."""

    customer: Customer
    key: ApiKey


LimitName = Literal["submissions_per_minute", "page_quota", "retention_seconds"]


class AccountLedger(Protocol):
    """Customers, their keys and limits."""

    def ensure_customer(self, name: str) -> Customer:
        """Return the customer of that name, made if it is new."""
        ...

    def customer(self, customer_id: CustomerId) -> Customer:
        """Return one customer. Raises CustomerNotFound."""
        ...

    def customers(self) -> list[Customer]:
        """Return all customers, oldest first."""
        ...

    def update_customer(
        self, customer_id: CustomerId, *, enabled: bool | None = None, item_cap: int | None = None
    ) -> Customer:
        """Change what is given, keep the rest. Raises CustomerNotFound, ValueError for a cap below 1."""
        ...

    def set_limits(self, customer_id: CustomerId, limits: Mapping[LimitName, int | None]) -> Customer:
        """Change the limits that are named; None goes back to the default of the settings, or to no quota.

        Raises: CustomerNotFound, ValueError for a number below 1 (a quota may be 0).
        """
        ...

    def add_key(
        self, customer_id: CustomerId, *, prefix: str, digest: str, label: str = "", uploads_only: bool = False
    ) -> ApiKey:
        """Keep a key by the SHA-256 digest of its secret. Raises CustomerNotFound."""
        ...

    def keys(self, customer_id: CustomerId) -> list[ApiKey]:
        """Return a customer's keys, oldest first. Raises CustomerNotFound."""
        ...

    def revoke_key(self, key_id: str) -> ApiKey | None:
        """Revoke a key; safe to repeat; None when there is none."""
        ...

    def principal(self, digest: str) -> Principal | None:
        """Return who holds the key with this digest; None for unknown and revoked ones."""
        ...

    def remembered_principal(self, digest: str) -> Principal | None:
        """Return the same at once, without a query; None where it has to be looked up."""
        ...


def check_limits(limits: Mapping[LimitName, int | None]) -> None:
    """Raise ValueError for a limit under which nothing could be done; a quota of 0 is one that bills nothing."""
    for name, value in limits.items():
        if value is not None and value < (0 if name == "page_quota" else 1):
            raise ValueError(f"{name} cannot be {value}")
