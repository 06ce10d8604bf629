"""What workers and the API say to each other about sync extractions: plain frozen records, JSON on the wire."""

from dataclasses import dataclass

from octavo.identifiers import CallId, CustomerId


@dataclass(frozen=True, slots=True, kw_only=True)
class SyncTask:
    """One document that a customer waits for; `attempt` is its fencing token."""

    call_id: CallId
    customer_id: CustomerId
    attempt: int
    engine: str
    extract_text: bool
    extract_images: bool
    url: str | None
    """Where the document is; None where its bytes are fetched from the API."""
    filename: str | None
    content_type: str | None
    reserves_pages: bool
    """Whether its pages must be set aside before they are read."""


@dataclass(frozen=True, slots=True, kw_only=True)
class OfferedSyncTask:
    """The answer to a worker that asked: one task or none."""

    task: SyncTask | None


@dataclass(frozen=True, slots=True, kw_only=True)
class SyncWatch:
    """A worker asks to be told when nobody waits any more for what it reads."""

    call_id: CallId
    attempt: int


@dataclass(frozen=True, slots=True, kw_only=True)
class SyncPages:
    """The pages of a document were counted."""

    call_id: CallId
    attempt: int
    pages: int


@dataclass(frozen=True, slots=True, kw_only=True)
class SyncResult:
    """How a document ended: a result, or the code and message of an error."""

    call_id: CallId
    attempt: int
    pages: int = 0
    result: str | None = None
    """The result of the dialect, JSON."""
    code: str | None = None
    message: str = ""
