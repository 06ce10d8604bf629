"""The page `docs/reference/limits.md`: what is refused or cut off, with which answer, and by which setting."""

from collections.abc import Iterator
from dataclasses import dataclass

from annotated_types import Le, MaxLen
from fastapi.params import Query
from fastapi.routing import APIRoute
from pydantic import BaseModel

from api.http.body_reception import SMALL_BYTES
from api.http.json_bodies import MOST_VALUES
from api.http.long_poll import LONGEST_WAIT_SECONDS
from api.http.reception_rules import PART_OF_A_CUSTOMER
from api.v1 import batches, bulk, extract, webhooks
from api.v1.schemas import CreateBatchRequest, CreateFileRequest
from octavo.batches import DEFAULT_ITEM_CAP, MAX_ITEMS_PER_BATCH
from octavo.ledger.rules import IDEMPOTENCY_WINDOW
from octavo.service import submission
from octavo.settings import ApiSettings, LimitSettings, StorageSettings, WebhookSettings

# The groups themselves: they hold the defaults, whatever the environment says.
API, LIMITS, STORAGE, WEBHOOKS = ApiSettings(), LimitSettings(), StorageSettings(), WebhookSettings()


@dataclass(frozen=True, slots=True)
class Limit:
    """One row."""

    what: str
    value: str
    past_it: str
    setting: str = ""


def limits_page() -> str:
    """Return the page, without the note that it is generated."""
    parts = [
        "# Limits\n",
        "What Octavo accepts, and for how long it keeps it, by default. The operator can change a limit that has a\n"
        "setting ([Settings](settings.md)), and one marked *customer* also for one customer (`octavo customers set`).\n"
        "[Errors](errors.md) explains the codes.\n",
    ]
    for heading, rows in SECTIONS:
        parts += [f"## {heading}\n", "| what | limit | beyond it | setting |\n|---|---|---|---|"]
        parts += [f"| {row.what} | {row.value} | {row.past_it} | {row.setting} |" for row in rows()]
        parts.append("")
    return "\n".join([*parts, NOTES])


def _bytes(count: int) -> str:
    for size, unit in ((1024**3, "GiB"), (1024**2, "MiB")):
        if count >= size:
            return f"{count / size:g} {unit}"
    return f"{count / 1024:g} KiB"


def _hours(seconds: float) -> str:
    return f"{seconds / 3600:g} h" if seconds >= 3600 else f"{seconds:g} s"


def _longest(model: type[BaseModel], field: str) -> int:
    """Return the most characters that a field may have."""
    return next(mark.max_length for mark in model.model_fields[field].metadata if isinstance(mark, MaxLen))


def _most(path: str, parameter: str) -> int:
    """Return the greatest value of a query parameter of a route that is read."""
    for route in (*batches.router.routes, *webhooks.router.routes):
        if isinstance(route, APIRoute) and route.path == path and "GET" in (route.methods or ()):
            for given in route.dependant.query_params:
                if given.name == parameter and isinstance(given.field_info, Query):
                    return int(str(next(mark.le for mark in given.field_info.metadata if isinstance(mark, Le))))
    raise LookupError(f"{path} has no {parameter}")


def _requests() -> Iterator[Limit]:
    body, limits = API.max_body_bytes, LIMITS
    yield Limit("a JSON body", _bytes(body), "413 `request_too_large`", "`api.max_body_bytes`")
    yield Limit(f"the body of `{bulk.PATH}`", _bytes(body * bulk.BODY_FACTOR), "the same", "`api.max_body_bytes`")
    yield Limit("values, lists and objects of a JSON body", f"{MOST_VALUES:,}", "the same")
    yield Limit(
        f"JSON bodies over {_bytes(SMALL_BYTES)} that are received at once, for one customer",
        str(limits.large_bodies // PART_OF_A_CUSTOMER),
        "429 `rate_limited`, `Retry-After`",
        "`limits.large_bodies`",
    )
    yield Limit(
        "the same, all customers together",
        f"{limits.large_bodies}, {_bytes(limits.large_body_bytes)}",
        "503 `service_busy`, `Retry-After`",
        "`limits.large_bodies`, `limits.large_body_bytes`",
    )
    yield Limit(
        f"how slowly a body may arrive, after {API.body_grace_seconds:g} s",
        f"{API.min_body_bytes_per_second:,} bytes a second",
        "408 `request_timeout`",
        "`api.min_body_bytes_per_second`",
    )
    yield Limit("time for the headers of a request", f"{API.header_seconds:g} s", "closed", "`api.header_seconds`")
    yield Limit("connections at once", f"{API.max_connections:,}", "idle ones closed", "`api.max_connections`")
    yield Limit(
        "the form of a sync extraction, without its document", _bytes(extract.FORM_BYTES), "413 `request_too_large`"
    )
    yield Limit(
        "submissions a minute, for each key and route: `POST` of files, batches, retries, extractions, pings, replays",
        str(limits.submissions_per_minute),
        "429 `rate_limited`, `Retry-After`",
        "`limits.submissions_per_minute`; *customer*",
    )
    yield Limit("a file name", f"{_longest(CreateFileRequest, 'filename')} characters", "422")
    yield Limit("a content type", f"{_longest(CreateFileRequest, 'content_type')} characters", "422")
    yield Limit("an engine's name", f"{_longest(CreateBatchRequest, 'engine')} characters", "422")
    yield Limit("an `Idempotency-Key`", f"{submission.MAX_KEY_CHARACTERS} characters", "422 `invalid_idempotency_key`")
    yield Limit(
        "how long an `Idempotency-Key` is remembered", _hours(IDEMPOTENCY_WINDOW.total_seconds()), "a new batch"
    )
    yield Limit(
        "`metadata`, as JSON",
        f"{_bytes(submission.MAX_METADATA_BYTES)}, {submission.MAX_METADATA_DEPTH} levels",
        "422 `metadata_too_large`",
    )
    yield Limit("`limit` of a list of batches", f"1 to {_most('/v1/batches', 'limit')}", "422")
    yield Limit("`limit` of a list of items", f"1 to {_most('/v1/batches/{batch_id}', 'limit')}", "422")
    yield Limit("`wait`", f"{LONGEST_WAIT_SECONDS:g} s", "422")


def _documents() -> Iterator[Limit]:
    limits = LIMITS
    yield Limit(
        "a file",
        _bytes(limits.max_file_bytes),
        "413 `file_too_large`; sync 413 `document_too_large`",
        "`limits.max_file_bytes`",
    )
    yield Limit("files of a batch, or of one bulk staging call", f"{MAX_ITEMS_PER_BATCH:,}", "422")
    yield Limit("pages of a document", f"{limits.max_pages:,}", "item `page_limit_exceeded`", "`limits.max_pages`")
    yield Limit(
        "time for a document", f"{limits.document_seconds:g} s", "item `extraction_failed`", "`limits.document_seconds`"
    )
    yield Limit("time for a page", f"{limits.page_seconds:g} s", "the same", "`limits.page_seconds`")
    yield Limit(
        "memory of a document", _bytes(limits.document_memory_bytes), "the same", "`limits.document_memory_bytes`"
    )
    yield Limit("images of a result", f"{limits.max_images:,}", "left out, with a warning", "`limits.max_images`")


def _customers() -> Iterator[Limit]:
    limits, hooks = LIMITS, WEBHOOKS
    yield Limit("items in progress at once, over all batches", str(DEFAULT_ITEM_CAP), "items wait", "*customer*")
    yield Limit("pages, in total", "none", "402 `quota_exceeded`; item `payment_required`", "*customer*")
    yield Limit(
        "sync extractions at once",
        str(limits.sync_calls_per_customer),
        "429 `rate_limited`",
        "`limits.sync_calls_per_customer`",
    )
    yield Limit(
        "sync extractions at once, all customers together",
        str(limits.sync_calls),
        "429 `rate_limited`",
        "`limits.sync_calls`",
    )
    yield Limit(
        "time for a sync extraction", f"{limits.sync_seconds:g} s", "504 `extraction_timeout`", "`limits.sync_seconds`"
    )
    yield Limit(
        "page images at once, waiting or being rendered",
        str(limits.drawings_per_customer),
        "429 `rate_limited`",
        "`limits.drawings_per_customer`",
    )
    yield Limit(
        "page images at once, all customers together", str(limits.drawings), "429 `rate_limited`", "`limits.drawings`"
    )
    yield Limit(
        "time for a page image", f"{limits.drawing_seconds:g} s", "504 `drawing_timeout`", "`limits.drawing_seconds`"
    )
    yield Limit("webhooks", str(hooks.per_customer), "409 `too_many_webhooks`", "`webhooks.per_customer`")


def _times() -> Iterator[Limit]:
    limits, storage = LIMITS, STORAGE
    yield Limit(
        "an upload address",
        _hours(storage.presign_put_seconds),
        "403 from storage",
        "`storage.presign_put_seconds`",
    )
    yield Limit(
        "a result address",
        f"{_hours(storage.presign_get_seconds)}, at most until the result expires",
        "403 from storage; ask again",
        "`storage.presign_get_seconds`",
    )
    yield Limit(
        "inputs and results",
        _hours(limits.retention_seconds),
        "410 `result_expired`",
        "`limits.retention_seconds`; *customer*",
    )
    yield Limit(
        "the record of a batch, after its results expired",
        f"{limits.keep_records_days:g} days",
        "404",
        "`limits.keep_records_days`",
    )
    yield Limit("webhook deliveries", f"{WEBHOOKS.keep_days:g} days", "404", "`webhooks.keep_days`")


SECTIONS = (
    ("Requests", _requests),
    ("Documents", _documents),
    ("Customers", _customers),
    ("How long things are kept", _times),
)
NOTES = (
    "Answers to counted submissions carry `RateLimit` and `RateLimit-Policy`. An answer that refuses the key (401,\n"
    "403) carries neither, because it is given before anything is counted.\n"
)
