"""Every error Octavo knows, each a class with a stable code.

OctavoError
├── DocumentError            why a document failed; stored with the item, shown to the customer
│   ├── PaymentRequired      payment_required
│   ├── UnsupportedInput     unsupported_input
│   ├── DocumentTooLarge     document_too_large
│   ├── PageLimitExceeded    page_limit_exceeded
│   ├── ExtractionFailed     extraction_failed
│   ├── OcrProviderError     ocr_provider_error      retryable
│   ├── UploadMissing        upload_missing
│   └── InternalError        internal_error          retryable
├── RequestError             why a request to the API was refused; `api/http/failures.py` gives it a status
│   ├── InvalidApiKey        invalid_api_key
│   ├── InvalidAdminToken    invalid_admin_token
│   ├── CustomerDisabled     customer_disabled
│   ├── UploadsOnly          uploads_only
│   ├── HostNotAllowed       host_not_allowed
│   ├── RateLimited          rate_limited            retry_after_seconds
│   ├── QuotaExceeded        quota_exceeded          limit
│   ├── CustomerNotFound     customer_not_found
│   ├── KeyNotFound          key_not_found
│   ├── UnknownFiles         file_not_found          file_ids
│   ├── BatchNotFound        batch_not_found
│   ├── ItemNotFound         item_not_found
│   ├── WebhookNotFound      webhook_not_found
│   ├── DeliveryNotFound     delivery_not_found
│   ├── WebhookDisabled      webhook_disabled
│   ├── TooManyWebhooks      too_many_webhooks       limit
│   ├── BatchCancelling      batch_cancelling
│   ├── FilesNotUploaded     file_not_uploaded       file_ids
│   ├── FileInUse            file_in_use             batch_ids
│   ├── BatchNotFinished     batch_not_finished      status
│   ├── ResultNotReady       result_not_ready        status
│   ├── ResultExpired        result_expired
│   ├── FileTooLarge         file_too_large          limit_bytes
│   ├── RequestTooLarge      request_too_large       limit_bytes
│   ├── RequestTimeout       request_timeout
│   ├── IdempotencyKeyReused idempotency_key_reused
│   ├── InvalidIdempotencyKey invalid_idempotency_key
│   ├── UnknownEngine        unknown_engine          engines
│   ├── InvalidCursor        invalid_cursor
│   ├── InvalidStatus        invalid_status          statuses
│   ├── InvalidPeriod        invalid_period
│   ├── MetadataTooLarge     metadata_too_large
│   ├── UrlNotAllowed        url_not_allowed
│   ├── FetchFailed          fetch_failed
│   ├── ExtractionTimeout    extraction_timeout
│   ├── NoPageImages         no_page_images
│   ├── PageNotDrawn         page_not_drawn
│   ├── DrawingTimeout       drawing_timeout
│   ├── SchemaExtractionUnavailable schema_extraction_unavailable
│   ├── UploadsNotConfigured uploads_not_configured
│   ├── ServiceBusy          service_busy
│   ├── StorageUnavailable   storage_unavailable
│   └── OrchestratorUnavailable orchestrator_unavailable
├── StaleLease               stale_lease             a late report about an item that has moved on
└── OperationError           what the operator must fix; the CLI prints it and exits
    ├── DataDirectoryInUse   data_directory_in_use
    ├── LedgerTooNew         ledger_too_new
    ├── LedgerUnavailable    ledger_unavailable
    ├── LedgerDamaged        ledger_damaged
    ├── LedgerMissing        ledger_missing
    ├── LedgerExists         ledger_exists
    ├── ArchiveMissing       archive_missing
    ├── ArchiveForeign       archive_foreign
    ├── ArchiveUnreadable    archive_unreadable
    ├── PartGaveUp           part_gave_up
    ├── MissingProgram       missing_program
    ├── ServiceUnreachable   service_unreachable
    └── InvalidSettings      invalid_settings

Codes are for ever: a code may be added, none may change its meaning.
"""

from typing import ClassVar


class OctavoError(Exception):
    """Base of all errors of Octavo: a stable `code`, a sentence for people, facts for machines."""

    code: ClassVar[str] = "error"

    def __init__(self, message: str, **facts: object) -> None:
        super().__init__(message)
        self.message = message
        self.facts = facts


# Why a document failed ------------------------------------------------------------------


class DocumentError(OctavoError):
    """A document could not be extracted; travels as a value (`Outcome`), never across Prefect."""

    retryable: ClassVar[bool] = False


class PaymentRequired(DocumentError):
    """The customer's page quota is used up."""

    code = "payment_required"


class UnsupportedInput(DocumentError):
    """The bytes are not a supported format."""

    code = "unsupported_input"


class DocumentTooLarge(DocumentError):
    """The document has more bytes than allowed."""

    code = "document_too_large"


class PageLimitExceeded(DocumentError):
    """The document has more pages than allowed."""

    code = "page_limit_exceeded"


class ExtractionFailed(DocumentError):
    """The document is damaged, locked, or exceeded its limits."""

    code = "extraction_failed"


class OcrProviderError(DocumentError):
    """Text recognition was not available; worth trying again."""

    code = "ocr_provider_error"
    retryable = True


class UploadMissing(DocumentError):
    """The document's bytes are not in storage."""

    code = "upload_missing"


class InternalError(DocumentError):
    """Something unexpected, not the document's fault; worth trying again."""

    code = "internal_error"
    retryable = True


def _leaves(base: type[DocumentError]) -> dict[str, type[DocumentError]]:
    return {cls.code: cls for cls in base.__subclasses__()}


DOCUMENT_ERRORS: dict[str, type[DocumentError]] = _leaves(DocumentError)
"""The eight item error codes of the contract and their classes."""


# Why a request was refused -------------------------------------------------------------------


class RequestError(OctavoError):
    """A request cannot be carried out as asked."""


class InvalidApiKey(RequestError):
    """The API key is missing or unknown."""

    code = "invalid_api_key"


class InvalidAdminToken(RequestError):
    """The admin or worker token is missing or wrong."""

    code = "invalid_admin_token"


class CustomerDisabled(RequestError):
    """The key is valid, but its customer is disabled."""

    code = "customer_disabled"


class UploadsOnly(RequestError):
    """The key may upload documents, but not submit URLs."""

    code = "uploads_only"


class HostNotAllowed(RequestError):
    """The service is not known under the name in the Host header."""

    code = "host_not_allowed"


class RateLimited(RequestError):
    """The key has used up its submissions to this route for the current minute."""

    code = "rate_limited"


class QuotaExceeded(RequestError):
    """The customer's page quota is used up."""

    code = "quota_exceeded"


class CustomerNotFound(RequestError):
    """No such customer."""

    code = "customer_not_found"


class KeyNotFound(RequestError):
    """No such API key."""

    code = "key_not_found"


class UnknownFiles(RequestError):
    """Some files do not exist for this customer, or have expired."""

    code = "file_not_found"


class BatchNotFound(RequestError):
    """No such batch for this customer."""

    code = "batch_not_found"


class ItemNotFound(RequestError):
    """No such item in this batch."""

    code = "item_not_found"


class WebhookNotFound(RequestError):
    """No such webhook for this customer."""

    code = "webhook_not_found"


class DeliveryNotFound(RequestError):
    """No such delivery for this customer."""

    code = "delivery_not_found"


class WebhookDisabled(RequestError):
    """The webhook is disabled, so nothing is sent to it."""

    code = "webhook_disabled"


class TooManyWebhooks(RequestError):
    """The customer already has as many webhooks as allowed."""

    code = "too_many_webhooks"


class BatchCancelling(RequestError):
    """The batch was cancelled, and some of its items are still running."""

    code = "batch_cancelling"


class FilesNotUploaded(RequestError):
    """Some files have no bytes in storage."""

    code = "file_not_uploaded"


class FileInUse(RequestError):
    """An unfinished item uses the file."""

    code = "file_in_use"


class BatchNotFinished(RequestError):
    """The batch has not ended."""

    code = "batch_not_finished"


class ResultNotReady(RequestError):
    """The item has not succeeded."""

    code = "result_not_ready"


class ResultExpired(RequestError):
    """The result is past its retention."""

    code = "result_expired"


class FileTooLarge(RequestError):
    """The declared size exceeds the upload limit."""

    code = "file_too_large"


class RequestTooLarge(RequestError):
    """The request's body exceeds its limit."""

    code = "request_too_large"


class RequestTimeout(RequestError):
    """The body of the request arrived too slowly."""

    code = "request_timeout"


class IdempotencyKeyReused(RequestError):
    """The idempotency key was used before with a different body."""

    code = "idempotency_key_reused"


class InvalidIdempotencyKey(RequestError):
    """The idempotency key is empty or too long."""

    code = "invalid_idempotency_key"


class UnknownEngine(RequestError):
    """There is no engine of that name."""

    code = "unknown_engine"


class InvalidCursor(RequestError):
    """The cursor is malformed or belongs to another list."""

    code = "invalid_cursor"


class InvalidStatus(RequestError):
    """There is no such status."""

    code = "invalid_status"


class InvalidPeriod(RequestError):
    """The period ends before it begins."""

    code = "invalid_period"


class MetadataTooLarge(RequestError):
    """The metadata is too long or nested too deeply."""

    code = "metadata_too_large"


class UrlNotAllowed(RequestError):
    """The URL may not be requested because of its scheme, port or address, or because URL inputs are off."""

    code = "url_not_allowed"


class FetchFailed(RequestError):
    """The URL returned no document: no such host, no answer in time, or a status other than 200."""

    code = "fetch_failed"


class ExtractionTimeout(RequestError):
    """The document was not read within the time of a sync extraction."""

    code = "extraction_timeout"


class NoPageImages(RequestError):
    """The file has no page images: only PDF and image files have."""

    code = "no_page_images"


class PageNotDrawn(RequestError):
    """The page cannot be rendered: it is damaged, has no size, or exceeds a limit."""

    code = "page_not_drawn"


class DrawingTimeout(RequestError):
    """No worker rendered the page in time."""

    code = "drawing_timeout"


class SchemaExtractionUnavailable(RequestError):
    """Extraction by schema is not available yet."""

    code = "schema_extraction_unavailable"


class UploadsNotConfigured(RequestError):
    """This deployment has no object storage configured."""

    code = "uploads_not_configured"


class ServiceBusy(RequestError):
    """As many large requests as the service holds at once are being received."""

    code = "service_busy"


class StorageUnavailable(RequestError):
    """Object storage does not answer."""

    code = "storage_unavailable"


class OrchestratorUnavailable(RequestError):
    """Prefect does not answer."""

    code = "orchestrator_unavailable"


# Between worker and ledger ----------------------------------------------------------------


class StaleLease(OctavoError):
    """The item was given to another worker, or ended; the late report leaves no trace."""

    code = "stale_lease"


# What the operator must fix --------------------------------------------------------------


class OperationError(OctavoError):
    """Something about the installation; the message says what to do."""

    is_lasting: ClassVar[bool] = False
    """Whether it stays until somebody does something: to start again does not help."""


class DataDirectoryInUse(OperationError):
    """Another `octavo up` is running on the same data directory."""

    code = "data_directory_in_use"


class LedgerTooNew(OperationError):
    """The ledger's file was written by a newer version of Octavo."""

    code = "ledger_too_new"
    is_lasting = True


class LedgerUnavailable(OperationError):
    """The ledger is closed or overloaded, or its disk fails; the request was not carried out."""

    code = "ledger_unavailable"


class LedgerDamaged(OperationError):
    """The ledger's file is cut off or overwritten; `octavo ledger rebuild --force` restores it from its archive."""

    code = "ledger_damaged"
    is_lasting = True


class LedgerMissing(OperationError):
    """The ledger's file is gone, but its archive is in storage; `octavo ledger rebuild` restores it."""

    code = "ledger_missing"
    is_lasting = True


class LedgerExists(OperationError):
    """There already is a ledger, which is not overwritten."""

    code = "ledger_exists"


class ArchiveMissing(OperationError):
    """Storage holds no archive of a ledger."""

    code = "archive_missing"


class ArchiveForeign(OperationError):
    """The archive in storage belongs to another ledger and is not overwritten."""

    code = "archive_foreign"


class ArchiveUnreadable(OperationError):
    """The archive is damaged, or in the format of another version."""

    code = "archive_unreadable"


class PartGaveUp(OperationError):
    """A part of the stack cannot go on before somebody has done something; its last words say what."""

    code = "part_gave_up"
    is_lasting = True


class MissingProgram(OperationError):
    """A program that Octavo needs is not installed."""

    code = "missing_program"


class ServiceUnreachable(OperationError):
    """The service does not answer at the given address."""

    code = "service_unreachable"


class InvalidSettings(OperationError):
    """A setting has an invalid value."""

    code = "invalid_settings"
