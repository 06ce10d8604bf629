"""What sync extractions accept and return, in the contract's terms. Results are described, not validated again."""

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field

Box = Annotated[list[float], Field(min_length=4, max_length=4)]


class ExtractRequest(BaseModel):
    """A document by URL."""

    url: str | None = Field(None, description="http or https; public addresses only.")
    extract_text: bool = Field(True, description="False: no text and no tables.")
    extract_images: bool = Field(True, description="False: no figures.")
    ocr: Literal["auto", "never", "force"] = Field("auto", description="Accepted, without effect.")


class TableCell(BaseModel):
    """One cell of a table."""

    text: str
    row: Annotated[int, Field(ge=0)]
    col: Annotated[int, Field(ge=0)]
    row_span: int | None = None
    col_span: int | None = None
    bbox: Box | None = None
    confidence: float | None = None
    page_no: int | None = None


class Chunk(BaseModel):
    """A paragraph, heading, table or figure; boxes in points from the top left of the upright page."""

    page_content: str
    page_no: int
    bbox: Box
    chunk_type: Literal["text", "table", "image"]
    role: str | None = None
    level: int | None = None
    confidence: Annotated[float, Field(ge=0, le=100)] | None = None
    n_rows: int | None = None
    n_cols: int | None = None
    cells: list[TableCell] | None = None
    merged_from_pages: list[Annotated[int, Field(ge=1)]] | None = None
    image_url: str | None = None
    image_mime: str | None = None
    image_width: int | None = None
    image_height: int | None = None
    image_b64: str | None = None


class ExtractedPage(BaseModel):
    """One page of a result; points."""

    page_no: int
    width: float
    height: float
    rotation: int
    ocr: bool
    status: str


class ExtractResponse(BaseModel):
    """The result of one document, as for an item of a batch, except that figures are always inline."""

    object: str = "extraction"
    page_count: int
    pages: list[ExtractedPage]
    engine: str
    warnings: list[str]
    chunks: list[Chunk]


class SchemaExtractRequest(BaseModel):
    """A document by URL, and the schema to fill."""

    model_config = ConfigDict(populate_by_name=True)

    url: str | None = None
    json_schema: Annotated[dict[str, Any] | None, Field(alias="schema")] = None
    strict: bool = True
    auto_schema: bool = False
    extract_images: bool = True


class EvidenceEntry(BaseModel):
    """The position of a value; the box in thousandths of the page from its top left."""

    page: int
    bbox: Annotated[list[Annotated[float, Field(ge=0, le=1000)]], Field(min_length=4, max_length=4)]
    text: str


class SchemaExtractResponse(BaseModel):
    """A filled schema."""

    values: dict[str, Any]
    evidence: dict[str, list[EvidenceEntry]]
    page_count: int
    ungrounded_fields: list[str] = []
    generated_schema: dict[str, Any] | None = None
