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
class SyncFailure:
    """Why a document has no result: the code and message of an error. A result itself is sent as it is."""

    call_id: CallId
    attempt: int
    code: str
    message: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class SyncResult:
    """What a document came to, on the worker's side: the JSON of its dialect."""

    pages: int
    content: bytes
