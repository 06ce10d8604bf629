"""How an item ended: small, plain values that a worker reports to the ledger."""

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
    """Whether it was already there, so that nothing was read."""
    failed_pages: int = 0
    """How many of `page_count` pages could not be read."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Failed:
    """The item ended without a result; `code` is one of the contract's eight."""

    code: str
    message: str
    retryable: bool
    sha256: str | None = None

    def __post_init__(self) -> None:
        if self.code not in DOCUMENT_ERRORS:
            raise ValueError(f"not an item error code: {self.code!r}")


Outcome = Succeeded | Failed


def failure(error: DocumentError, *, sha256: str | None = None) -> Failed:
    """Return the outcome that represents `error`."""
    return Failed(code=error.code, message=error.message, retryable=error.retryable, sha256=sha256)


def lost_too_often(times: int) -> Failed:
    """Return the outcome of an item whose worker was lost `times` times."""
    return failure(InternalError(f"The worker was lost {times} times while it had this document; submit it again."))


def over_quota() -> PaymentRequired:
    """Return the error of an item whose pages exceed what is left of its customer's quota."""
    return PaymentRequired(
        "The page quota is not enough for this document; have it raised, then submit the document again."
    )
