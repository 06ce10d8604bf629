"""What workers and the API say to each other about page images: plain frozen records, JSON on the wire."""

from dataclasses import dataclass

from octavo.identifiers import CustomerId, ResultId


@dataclass(frozen=True, slots=True, kw_only=True)
class PageRenderTask:
    """A page that somebody wants to see, so many pixels wide, and the file it is a page of."""

    key: str
    """The object key of the image. It names the work: two workers that render it write the same bytes."""
    customer_id: CustomerId
    result_id: ResultId
    page_no: int
    width: int
    seconds: float
    """How long rendering may take."""
    object_key: str
    size_bytes: int
    filename: str | None
    content_type: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class OfferedPageRender:
    """The answer to a worker that asked: one page or none."""

    task: PageRenderTask | None


@dataclass(frozen=True, slots=True, kw_only=True)
class PageRenderResult:
    """A page was rendered and its image written, or the code and message of an error."""

    key: str
    code: str | None = None
    message: str = ""
