"""The one place with status numbers: which error class answers with which status."""

import logging
from collections.abc import Mapping, Sequence
from typing import Any

from fastapi import FastAPI, Request
from fastapi.encoders import jsonable_encoder
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from pydantic import BaseModel, ConfigDict
from starlette.exceptions import HTTPException

from api.http.problem_examples import example, meaning
from octavo import errors

logger = logging.getLogger(__name__)

STATUS: Mapping[type[errors.OctavoError], int] = {
    errors.InvalidApiKey: 401,
    errors.InvalidAdminToken: 401,
    errors.CustomerDisabled: 403,
    errors.UploadsOnly: 403,
    errors.QuotaExceeded: 402,
    errors.CustomerNotFound: 404,
    errors.KeyNotFound: 404,
    errors.UnknownFiles: 404,
    errors.BatchNotFound: 404,
    errors.ItemNotFound: 404,
    errors.WebhookNotFound: 404,
    errors.DeliveryNotFound: 404,
    errors.WebhookDisabled: 409,
    errors.TooManyWebhooks: 409,
    errors.BatchCancelling: 409,
    errors.FilesNotUploaded: 409,
    errors.FileInUse: 409,
    errors.BatchNotFinished: 409,
    errors.ResultNotReady: 409,
    errors.ResultExpired: 410,
    errors.FileTooLarge: 413,
    errors.RequestTooLarge: 413,
    errors.IdempotencyKeyReused: 422,
    errors.InvalidIdempotencyKey: 422,
    errors.UnknownEngine: 422,
    errors.InvalidCursor: 422,
    errors.InvalidStatus: 422,
    errors.InvalidPeriod: 422,
    errors.MetadataTooLarge: 422,
    errors.UrlNotAllowed: 422,
    errors.FetchFailed: 422,
    errors.NoPageImages: 422,
    errors.PageNotDrawn: 422,
    errors.RateLimited: 429,
    errors.SchemaExtractionUnavailable: 501,
    errors.ExtractionTimeout: 504,
    errors.DrawingTimeout: 504,
    errors.UploadsNotConfigured: 503,
    errors.StorageUnavailable: 503,
    errors.OrchestratorUnavailable: 503,
}
DOCUMENT_STATUS: Mapping[type[errors.OctavoError], int] = {
    errors.DocumentTooLarge: 413,
    errors.PageLimitExceeded: 413,
    errors.UnsupportedInput: 415,
    errors.ExtractionFailed: 422,
    errors.InternalError: 500,
    errors.OcrProviderError: 503,
}
"""What a document came to, where the answer is the document: the sync lane."""
RETRY_AFTER_SECONDS = 5
PASSING = (errors.StorageUnavailable, errors.OrchestratorUnavailable)
"""Trouble that passes by itself; these answers say when to come again."""
MAX_INPUT_SHOWN = 200


class Problem(BaseModel):
    """Every error but a validation error: a stable code, a sentence that says what to do, facts."""

    model_config = ConfigDict(extra="allow")

    error: str
    message: str


class FileIdsError(Problem):
    """Some files cannot be used; `file_ids` lists every one of them."""

    file_ids: list[str]


class ResultNotReadyError(Problem):
    """There is no result; `status` is the item's."""

    status: str


SHAPES: Mapping[type[errors.OctavoError], type[Problem]] = {
    errors.UnknownFiles: FileIdsError,
    errors.FilesNotUploaded: FileIdsError,
    errors.ResultNotReady: ResultNotReadyError,
}
"""Errors whose facts the contract names; all others are told as a `Problem`."""


def _status(cls: type[errors.OctavoError]) -> int:
    return DOCUMENT_STATUS[cls] if issubclass(cls, errors.DocumentError) else STATUS[cls]


def problem_response(error: errors.OctavoError) -> JSONResponse:
    """Return the answer that stands for `error`: `{"error": code, "message": ..., facts...}`."""
    status = _status(type(error))
    headers = {"Retry-After": str(RETRY_AFTER_SECONDS)} if isinstance(error, PASSING) else {}
    if isinstance(error, errors.RateLimited):
        headers["Retry-After"] = str(error.facts["retry_after_seconds"])
    if status == 401:
        headers["WWW-Authenticate"] = "Bearer"
    body = {"error": error.code, **error.facts, "message": error.message}
    return JSONResponse(jsonable_encoder(body), status_code=status, headers=headers)


def problems(*classes: type[errors.OctavoError]) -> dict[int | str, dict[str, Any]]:
    """Return the OpenAPI `responses` of a route that may raise these, each with an example body."""
    found: dict[int | str, dict[str, Any]] = {}
    for cls in classes:
        shape = SHAPES.get(cls, Problem)
        content: dict[str, Any] = {"application/json": {"examples": {}}}
        entry = found.setdefault(_status(cls), {"model": shape, "description": "", "content": content})
        if entry["model"] is not shape:
            entry["model"] = entry["model"] | shape
        entry["description"] = f"{entry['description']} `{cls.code}`: {meaning(cls)}".strip()
        shown = {"summary": meaning(cls), "value": example(cls)}
        entry["content"]["application/json"]["examples"][cls.code] = shown
        if issubclass(cls, PASSING):
            entry["headers"] = {"Retry-After": {"schema": {"type": "integer"}}}
    return found


def _validation_detail(found: Sequence[Any]) -> list[dict[str, Any]]:
    return [_validation_row(dict(row)) for row in found]


def _validation_row(row: dict[str, Any]) -> dict[str, Any]:
    """Return what the contract shows of one error.

    `input` is left out unless it is short: a client knows what it sent, and 10,000 file ids, or lists
    nested a thousand deep, help nobody.
    """
    shown = {name: row[name] for name in ("loc", "msg", "type")}
    value = row.get("input")
    if "input" in row and isinstance(value, str | int | float | None) and len(str(value)) <= MAX_INPUT_SHOWN:
        shown["input"] = value
    if row.get("ctx"):
        shown["ctx"] = {name: _plain(fact) for name, fact in row["ctx"].items()}
    return shown


def _plain(fact: object) -> object:
    return fact if isinstance(fact, str | int | float | None) else str(fact)


def install(app: FastAPI) -> None:
    """Teach the app to answer errors; anything unforeseen is a 500 that tells nothing of its inside."""

    @app.exception_handler(errors.RequestError)
    async def answer_request_error(_: Request, error: errors.RequestError) -> JSONResponse:
        return problem_response(error)

    @app.exception_handler(errors.DocumentError)
    async def answer_document_error(_: Request, error: errors.DocumentError) -> JSONResponse:
        return problem_response(error)

    @app.exception_handler(RequestValidationError)
    async def answer_validation_error(_: Request, error: RequestValidationError) -> JSONResponse:
        return JSONResponse({"detail": _validation_detail(error.errors())}, status_code=422)

    @app.exception_handler(errors.LedgerUnavailable)
    async def answer_ledger_trouble(_: Request, error: errors.LedgerUnavailable) -> JSONResponse:
        logger.error("the ledger is in trouble: %s", error.message)
        message = "The service cannot reach its records just now; nothing was done. Try again."
        headers = {"Retry-After": str(RETRY_AFTER_SECONDS)}
        return JSONResponse({"error": error.code, "message": message}, status_code=503, headers=headers)

    @app.exception_handler(errors.StaleLease)
    async def answer_late_worker(_: Request, error: errors.StaleLease) -> JSONResponse:
        return JSONResponse({"error": error.code, "message": error.message}, status_code=409)

    @app.exception_handler(HTTPException)
    async def answer_framework_error(request: Request, error: HTTPException) -> JSONResponse:
        code, message = {
            404: ("not_found", f"There is nothing at {request.url.path}; /docs lists the addresses there are."),
            405: ("method_not_allowed", f"This address takes no {request.method}; /docs lists what it takes."),
        }.get(error.status_code, ("bad_request", str(error.detail)))
        return JSONResponse(
            {"error": code, "message": message},
            status_code=error.status_code,
            headers=error.headers,
        )

    @app.exception_handler(Exception)
    async def answer_defect(_: Request, __: Exception) -> JSONResponse:
        message = "Something went wrong here; the log has the details. Try again."
        return JSONResponse({"error": "internal_error", "message": message}, status_code=500)
