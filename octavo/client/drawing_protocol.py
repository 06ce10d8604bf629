"""What workers and the API say to each other of pages to be drawn: plain frozen records, JSON on the wire."""

from dataclasses import dataclass

from octavo.identifiers import CustomerId, ResultId, WorkerId


@dataclass(frozen=True, slots=True, kw_only=True)
class DrawingClaim:
    """A worker is free to draw a page."""

    worker_id: WorkerId


@dataclass(frozen=True, slots=True, kw_only=True)
class AskedPage:
    """A page that somebody wants to see, so many pixels wide, and the file that it is a page of."""

    key: str
    """Under which the image is to be written. It names the work: who draws it twice writes the same."""
    customer_id: CustomerId
    result_id: ResultId
    page_no: int
    width: int
    seconds: float
    """How long the drawing may take."""
    object_key: str
    size_bytes: int
    filename: str | None
    content_type: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class DrawingClaims:
    """What a claim gave: one page or none."""

    page: AskedPage | None


@dataclass(frozen=True, slots=True, kw_only=True)
class DrawingEnd:
    """A page was drawn and its image written, or the code and message of an error."""

    key: str
    code: str | None = None
    message: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class DrawingTaken:
    """Whether a word about a drawing was taken."""

    taken: bool
