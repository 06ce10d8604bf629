"""What one item came to: small, plain values that cross from worker to ledger."""

from dataclasses import dataclass

from octavo.errors import DOCUMENT_ERRORS, DocumentError, InternalError, PaymentRequired
from octavo.identifiers import ResultId


@dataclass(frozen=True, slots=True, kw_only=True)
class Succeeded:
    """The item's result is in storage under `result_id`."""

    page_count: int
    result_id: ResultId
    sha256: str
    engine: str
    seconds: float
    reused: bool = False
    """Whether it was there already, and nothing was read."""
    failed_pages: int = 0
    """Pages that could not be read, of `page_count`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Failed:
    """The item ends without a result; `code` is one of the contract's eight."""

    code: str
    message: str
    retryable: bool
    sha256: str | None = None

    def __post_init__(self) -> None:
        if self.code not in DOCUMENT_ERRORS:
            raise ValueError(f"not an item error code: {self.code!r}")


Outcome = Succeeded | Failed


def failure(error: DocumentError, *, sha256: str | None = None) -> Failed:
    """Return the outcome that stands for `error`."""
    return Failed(code=error.code, message=error.message, retryable=error.retryable, sha256=sha256)


def lost_too_often(times: int) -> Failed:
    """Return the outcome of an item whose worker was lost `times` times."""
    return failure(InternalError(f"The worker was lost {times} times while it had this document; submit it again."))


def over_quota() -> PaymentRequired:
    """Return the error of an item for whose pages its customer's quota does not suffice."""
    return PaymentRequired("The page quota does not suffice for this document; have it raised, then submit it again.")
