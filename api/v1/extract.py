"""`/v1/extract`: one document, read while the caller waits."""

import contextlib
from collections.abc import AsyncIterator, Awaitable, Mapping
from typing import IO, Annotated, Any, Literal, TypeVar

from fastapi import APIRouter, Request, Response
from fastapi.exceptions import RequestValidationError
from pydantic import BaseModel, ConfigDict, Field, ValidationError
from starlette.datastructures import FormData, UploadFile
from starlette.exceptions import HTTPException

from api.http.auth import AddressesAllowed, CustomerDep
from api.http.file_answer import FileAnswer
from api.http.json_bodies import StrictJsonRoute
from api.http.long_poll import CLIENT_GONE, while_there
from api.http.problems import problems
from api.http.use_cases import SyncExtractionDep
from api.v1.extract_schemas import ExtractRequest, ExtractResponse, SchemaExtractRequest, SchemaExtractResponse
from api.v1.rate_limits import AddressExtraction, FileExtraction
from octavo.disk_room import refusing_full_disk
from octavo.errors import (
    CustomerDisabled,
    DocumentTooLarge,
    ExtractionFailed,
    ExtractionTimeout,
    FetchFailed,
    InternalError,
    InvalidApiKey,
    OcrProviderError,
    PageLimitExceeded,
    QuotaExceeded,
    RateLimited,
    SchemaExtractionUnavailable,
    StorageUnavailable,
    UnsupportedInput,
    UploadsOnly,
    UrlNotAllowed,
)
from octavo.service.sync_extraction import Shown, SyncExtraction, UploadedDocument

router = APIRouter(prefix="/v1/extract", tags=["v1"], route_class=StrictJsonRoute)
FORM_BYTES = 1024 * 1024
"""How many bytes a form may have besides its document."""
FORM_PATHS = ("/v1/extract/file", "/v1/extract/schema/file")
FORMS: dict[str, dict[str, Any]] = {}
"""The shapes of the forms by name, for the description."""
OF_DOCUMENTS = (
    InvalidApiKey,
    CustomerDisabled,
    RateLimited,
    QuotaExceeded,
    DocumentTooLarge,
    PageLimitExceeded,
    UnsupportedInput,
    ExtractionFailed,
    InternalError,
    OcrProviderError,
    StorageUnavailable,
    ExtractionTimeout,
)
T = TypeVar("T")


class FormOptions(BaseModel):
    """The fields of a form besides the document."""

    model_config = ConfigDict(extra="ignore")

    extract_text: bool = True
    extract_images: bool = True
    ocr: Literal["auto", "never", "force"] = "auto"


class SchemaFormOptions(BaseModel):
    """The fields of a form that asks for a schema to be filled, besides the document."""

    model_config = ConfigDict(extra="ignore")

    json_schema: Annotated[str | None, Field(alias="schema")] = None
    strict: bool = True
    auto_schema: bool = False
    extract_images: bool = True


def _form(name: str, options: type[BaseModel]) -> dict[str, Any]:
    """Return the description of a form: it is read by hand, after the key."""
    fields = options.model_json_schema()["properties"]
    file = {"type": "string", "contentMediaType": "application/octet-stream", "title": "File"}
    FORMS[name] = {"title": name, "type": "object", "required": ["file"], "properties": {"file": file, **fields}}
    shape = {"$ref": f"#/components/schemas/{name}"}
    return {"requestBody": {"required": True, "content": {"multipart/form-data": {"schema": shape}}}}


@router.post(
    "",
    operation_id="extract_v1",
    summary="Extract Endpoint",
    response_model=ExtractResponse,
    dependencies=[AddressesAllowed, AddressExtraction],
    responses=problems(*OF_DOCUMENTS, UploadsOnly, UrlNotAllowed, FetchFailed),
)
async def extract(
    body: ExtractRequest, request: Request, customer: CustomerDep, extraction: SyncExtractionDep
) -> Response:
    """Fetch a document by URL and read it at once; the answer is its result."""
    if not body.url:
        raise _missing("url")
    shown = Shown(body.extract_text, body.extract_images)
    return await _answer(request, extraction.of_address(customer, body.url, shown))


@router.post(
    "/file",
    operation_id="extract_file_v1",
    summary="Extract File Endpoint",
    response_model=ExtractResponse,
    dependencies=[FileExtraction],
    responses=problems(*OF_DOCUMENTS),
    openapi_extra=_form("ExtractFileForm", FormOptions),
)
async def extract_file(request: Request, customer: CustomerDep, extraction: SyncExtractionDep) -> Response:
    """Read an uploaded document at once; the answer is its result."""
    await extraction.admit(customer)
    async with _read_form(request) as form:
        document = _document(form, extraction)
        options = _options(FormOptions, form)
        shown = Shown(options.extract_text, options.extract_images)
        return await _answer(request, extraction.of_upload(customer, _uploaded(document), shown))


@router.post(
    "/schema",
    operation_id="extract_schema_v1",
    summary="Extract Schema Endpoint",
    response_model=SchemaExtractResponse,
    dependencies=[AddressesAllowed],
    responses=problems(InvalidApiKey, CustomerDisabled, UploadsOnly, SchemaExtractionUnavailable),
)
async def extract_schema(_: SchemaExtractRequest, __: CustomerDep) -> Response:
    """Not available yet: fill a schema from a document by URL."""
    raise _unavailable()


@router.post(
    "/schema/file",
    operation_id="extract_schema_file_v1",
    summary="Extract Schema File Endpoint",
    response_model=SchemaExtractResponse,
    responses=problems(InvalidApiKey, CustomerDisabled, SchemaExtractionUnavailable),
    openapi_extra=_form("Body_extract_schema_file_v1", SchemaFormOptions),
)
async def extract_schema_file(request: Request, _: CustomerDep, extraction: SyncExtractionDep) -> Response:
    """Not available yet: fill a schema from an uploaded document."""
    async with _read_form(request) as form:
        _document(form, extraction)
        _options(SchemaFormOptions, form)
    raise _unavailable()


async def _answer(request: Request, reading: Awaitable[IO[bytes]]) -> Response:
    """Wait for the result as long as somebody is there to read it."""
    result = await while_there(request, reading)
    if result is None:
        return Response(status_code=CLIENT_GONE)
    return FileAnswer(result, media_type="application/json")


@contextlib.asynccontextmanager
async def _read_form(request: Request) -> AsyncIterator[FormData]:
    """Read a form with one document; files over a megabyte are buffered on disk."""
    try:
        with refusing_full_disk():
            form = await request.form(max_files=1, max_fields=20)
    except HTTPException as error:
        raise _invalid({"type": "form_invalid", "loc": ("body",), "msg": str(error.detail)}) from error
    try:
        yield form
    finally:
        await form.close()


def _document(form: FormData, extraction: SyncExtraction) -> UploadFile:
    document = form.get("file")
    if not isinstance(document, UploadFile):
        raise _missing("file")
    extraction.check_size(document.size or 0)
    return document


def _uploaded(document: UploadFile) -> UploadedDocument:
    return UploadedDocument(document.file, document.size or 0, document.filename or None, document.content_type)


Options = TypeVar("Options", bound=BaseModel)


def _options(shape: type[Options], form: FormData) -> Options:
    fields: Mapping[str, Any] = {name: value for name, value in form.items() if isinstance(value, str)}
    try:
        return shape.model_validate(fields)
    except ValidationError as error:
        found = [{**row, "loc": ("body", *row["loc"])} for row in error.errors(include_url=False)]
        raise RequestValidationError(found) from error


def _missing(name: str) -> RequestValidationError:
    return _invalid({"type": "missing", "loc": ("body", name), "msg": "Field required"})


def _invalid(row: dict[str, Any]) -> RequestValidationError:
    return RequestValidationError([row])


def _unavailable() -> SchemaExtractionUnavailable:
    return SchemaExtractionUnavailable(
        "Extraction by schema is not available yet; /v1/extract and batches return text, tables and figures."
    )
