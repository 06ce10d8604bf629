"""What workers and the API say to each other of sync calls: plain frozen records, JSON on the wire."""

from dataclasses import dataclass

from octavo.identifiers import CallId, WorkerId


@dataclass(frozen=True, slots=True, kw_only=True)
class CallClaim:
    """A worker has a free place for a sync call."""

    worker_id: WorkerId


@dataclass(frozen=True, slots=True, kw_only=True)
class ClaimedCall:
    """One document that somebody waits for; `attempt` is its fencing token."""

    call_id: CallId
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
class CallClaims:
    """What a claim gave: one call or none."""

    call: ClaimedCall | None


@dataclass(frozen=True, slots=True, kw_only=True)
class CallWatch:
    """A worker asks to be told when nobody waits for a call any more that it reads."""

    call_id: CallId
    attempt: int


@dataclass(frozen=True, slots=True, kw_only=True)
class CallPages:
    """The pages of a call were counted."""

    call_id: CallId
    attempt: int
    pages: int


@dataclass(frozen=True, slots=True, kw_only=True)
class CallEnd:
    """What a call came to: a result, or the code and message of an error."""

    call_id: CallId
    attempt: int
    pages: int = 0
    result: str | None = None
    """The result of the dialect, JSON."""
    code: str | None = None
    message: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class CallTaken:
    """Whether a word about a call was taken, or the pages it asked for are there."""

    taken: bool
