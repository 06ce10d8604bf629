"""What went wrong with a request, independent of any dialect; the only place with status numbers."""

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Any

from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.types import Scope

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
    errors.RequestTimeout: 408,
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
    errors.HostNotAllowed: 421,
    errors.RateLimited: 429,
    errors.SchemaExtractionUnavailable: 501,
    errors.ExtractionTimeout: 504,
    errors.DrawingTimeout: 504,
    errors.UploadsNotConfigured: 503,
    errors.ServiceBusy: 503,
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
"""Statuses of document errors, for sync extractions, where the document is the answer."""
RETRY_AFTER_SECONDS = 5
PASSING = (errors.ServiceBusy, errors.StorageUnavailable, errors.OrchestratorUnavailable)
"""Errors that are temporary; these answers say when to try again."""
INVALID_REQUEST = "invalid_request"
"""The code of a failure that lists what is wrong with a body or parameter."""
FRAMEWORK_CODES = {404: "not_found", 405: "method_not_allowed"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Failure:
    """Why a request failed: everything a dialect needs to write its answer."""

    status: int
    code: str
    message: str
    """One sentence that says what to do."""
    facts: Mapping[str, object] = field(default_factory=dict)
    headers: Mapping[str, str] = field(default_factory=dict)
    """What HTTP asks for whatever the dialect: `Retry-After`, `WWW-Authenticate`, `Allow`."""
    invalid: Sequence[Mapping[str, Any]] = ()
    """What is wrong with the body or the parameters, a row each: `loc`, `msg`, `type`."""

    @property
    def is_retryable(self) -> bool:
        """Whether the same request may succeed later."""
        return self.status == HTTPStatus.TOO_MANY_REQUESTS or "Retry-After" in self.headers or self.status >= 500


def status_of(cls: type[errors.OctavoError]) -> int:
    """Return the status of an answer that refuses a request, or tells what became of its document."""
    return DOCUMENT_STATUS[cls] if issubclass(cls, errors.DocumentError) else STATUS[cls]


def failure_of(error: Exception, scope: Scope) -> Failure:
    """Return what an exception means to the caller."""
    if isinstance(error, errors.RequestError | errors.DocumentError):
        return _of_octavo(error)
    if isinstance(error, errors.LedgerUnavailable):
        return _of_ledger(error)
    if isinstance(error, errors.StaleLease):
        return Failure(status=409, code=error.code, message=error.message)
    if isinstance(error, RequestValidationError):
        message = "The body or a parameter is not as documented."
        return Failure(status=422, code=INVALID_REQUEST, message=message, invalid=error.errors())
    if isinstance(error, HTTPException):
        return _of_framework(error, scope)
    # Internals are not revealed; the server logs them.
    message = "Something went wrong in the service; its log has the details. Try again."
    return Failure(status=500, code=errors.InternalError.code, message=message)


def _of_octavo(error: errors.OctavoError) -> Failure:
    status = status_of(type(error))
    headers = {"Retry-After": str(RETRY_AFTER_SECONDS)} if isinstance(error, PASSING) else {}
    if isinstance(error, errors.RateLimited):
        headers["Retry-After"] = str(error.facts["retry_after_seconds"])
    if status == HTTPStatus.UNAUTHORIZED:
        headers["WWW-Authenticate"] = "Bearer"
    return Failure(status=status, code=error.code, message=error.message, facts=error.facts, headers=headers)


def _of_ledger(error: errors.LedgerUnavailable) -> Failure:
    logger.error("the ledger cannot work: %s", error.message)
    return Failure(
        status=503,
        code=error.code,
        message="The service cannot reach its ledger at the moment; nothing was done. Try again.",
        headers={"Retry-After": str(RETRY_AFTER_SECONDS)},
    )


def _of_framework(error: HTTPException, scope: Scope) -> Failure:
    message = {
        404: f"There is nothing at {scope['path']}; /docs lists the paths that exist.",
        405: f"This path does not support {scope['method']}; /docs lists what it supports.",
    }.get(error.status_code, str(error.detail))
    return Failure(
        status=error.status_code,
        code=FRAMEWORK_CODES.get(error.status_code, "bad_request"),
        message=message,
        headers=error.headers or {},
    )
