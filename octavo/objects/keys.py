"""Every object key is spelled here, and nowhere else.

    in/{customer_id}/{yyyy-mm-dd}/{file_id}                    an input, under the day it was staged
    results/{customer_id}/{result_id}/document.json            the document model, with all that was read
    results/{customer_id}/{result_id}/{rendering}.json         the same as a rendering shows it by default
    results/{customer_id}/{result_id}/{rendering}-{hash}.json  the same as it shows it with other options
    results/{customer_id}/{result_id}/images/{n}               figures too large to be inline, from 0
    results/{customer_id}/{result_id}/pages/{n}-{width}.png    a rendered page image, from 1
    results/{customer_id}/{result_id}/kept/{piece}             finished pages of a result that is not complete yet
    ledger/archive.json                                        which ledger this is the archive of
    ledger/accounts/{number}.json                              customers and the digests of their keys
    ledger/runs.json                                           the flow runs of unfinished batches
    ledger/usage/{generation}-{deletion_no}.jsonl              what deleted batches were billed
    ledger/files/{yyyy-mm-dd}/{generation}-{file_no}.jsonl     staged files, under the day they expire
    ledger/batches/{batch_id}/manifest.json                    what a batch was asked to do
    ledger/batches/{batch_id}/outcomes/{microseconds}.jsonl    outcomes of items in some commits
    ledger/batches/{batch_id}/outcomes.jsonl                   the same, of all commits until then

No key is another's directory: S3 would allow it, a server on top of files does not. Identifiers are
lower-case words without dots or slashes, so that keys stay apart on a file system that ignores
case, and none can climb out of its folder.
"""

import hashlib
import json
import re
from collections.abc import Iterable, Mapping
from datetime import date
from typing import Literal

from octavo.identifiers import BatchId, CustomerId, FileId, ResultId
from octavo.parse_options import ParseOptions

_IDENTIFIER = re.compile(r"[a-z0-9][a-z0-9_-]{0,99}")
_SHA256 = re.compile(r"[0-9a-f]{64}")

ResultPart = Literal["document.json", "extract-page.json"]
_RESULT_PARTS: tuple[ResultPart, ...] = ("document.json", "extract-page.json")
_DOCUMENT: ResultPart = "document.json"

_RENDERING = "a rendering"

INPUTS = "in/"
"""Prefix of every input."""
RESULTS = "results/"
"""Prefix of every result."""
ARCHIVE = "ledger/"
"""Prefix of everything that a ledger can be rebuilt from."""
ARCHIVE_IDENTITY = "ledger/archive.json"
"""Key of the object that says whose archive this is."""
ACCOUNTS = "ledger/accounts/"
"""Prefix of every version of customers and keys."""
OPEN_RUNS = "ledger/runs.json"
"""Key of the flow runs of unfinished batches."""
KEPT_USAGE = "ledger/usage/"
"""Prefix of what deleted batches were billed."""
STAGED_FILES = "ledger/files/"
"""Prefix of every piece of staged files."""
ROOM_PROBE = "in/.check/room"
"""Written and deleted again to check that storage accepts bytes; nothing is ever kept here."""
BATCHES = "ledger/batches/"
"""Prefix of every manifest and outcome."""


def input_key(customer_id: CustomerId, day: date, file_id: FileId) -> str:
    """Return the key of an input staged on this day (UTC). Raises ValueError for an odd id."""
    return f"{INPUTS}{_checked(customer_id)}/{day:%Y-%m-%d}/{_checked(file_id)}"


def result_prefix(customer_id: CustomerId, result_id: ResultId) -> str:
    """Return the prefix of all objects of one result. Raises ValueError for an odd id."""
    return f"{RESULTS}{_checked(customer_id)}/{_checked(result_id)}/"


def result_key(customer_id: CustomerId, result_id: ResultId, part: ResultPart) -> str:
    """Return the key of one part of a result. Raises ValueError for an odd id or another part."""
    if part not in _RESULT_PARTS:
        raise ValueError(f"a result has no part {part!r}")
    return result_prefix(customer_id, result_id) + part


def rendering_key(customer_id: CustomerId, result_id: ResultId, name: str, options: Mapping[str, object]) -> str:
    """Return the key of a rendering of a result; `options` are those that differ from the rendering's defaults.

    Raises ValueError for an odd id or name, and for options that are not plain JSON values.
    """
    shown = f"{_checked(name)}-{_digest(dict(options))[:16]}.json" if options else f"{_checked(name)}.json"
    if shown == _DOCUMENT:
        raise ValueError("a rendering cannot have the name of the document")
    return result_prefix(customer_id, result_id) + shown


def rendering_keys(below: Iterable[str]) -> list[str]:
    """Return which of these keys, all of one result, are renderings."""
    return [key for key in below if _part(key) == _RENDERING]


def result_image_key(customer_id: CustomerId, result_id: ResultId, number: int) -> str:
    """Return the key of a result's image, counted from 0. Raises ValueError for an odd id or number."""
    if number < 0:
        raise ValueError(f"images are counted from 0, not {number}")
    return f"{result_images_prefix(customer_id, result_id)}{number}"


def result_images_prefix(customer_id: CustomerId, result_id: ResultId) -> str:
    """Return the prefix of all images of one result. Raises ValueError for an odd id."""
    return f"{result_prefix(customer_id, result_id)}images/"


def kept_pages_prefix(customer_id: CustomerId, result_id: ResultId) -> str:
    """Return the prefix of the finished pages of an incomplete result. Raises ValueError for an odd id."""
    return f"{result_prefix(customer_id, result_id)}kept/"


def kept_pages_key(customer_id: CustomerId, result_id: ResultId, piece: str) -> str:
    """Return the key of one piece of them, named by whoever writes it. Raises ValueError for an odd id or name."""
    return kept_pages_prefix(customer_id, result_id) + _checked(piece)


def drawn_page_key(customer_id: CustomerId, result_id: ResultId, number: int, width: int) -> str:
    """Return the key of a page's image, counted from 1, so many pixels wide. Raises ValueError for odd ones."""
    if number < 1 or width < 1:
        raise ValueError(f"no page {number} is {width} pixels wide")
    return f"{result_prefix(customer_id, result_id)}pages/{number}-{width}.png"


def has_document(below: Iterable[str]) -> bool:
    """Return whether the document is among these keys, all of one result."""
    return any(_part(key) == _DOCUMENT for key in below)


def count_result_parts(below: Iterable[str]) -> int:
    """Return how many parts of a result these keys are, all of one result.

    Its renderings count as one part, because they can be made again from the document. Kept pages and page images
    count as none: they come and go beside the result.
    """
    return len({part for key in below if (part := _part(key)) is not None})


def _part(key: str) -> str | None:
    """Return which part of a result an object below it is; None for what lies beside the result."""
    if not key.startswith(RESULTS):
        return None
    match key.split("/")[3:]:
        case ["kept" | "pages", *_]:
            return None
        case [one] if one != _DOCUMENT:
            return _RENDERING
        case rest:
            return "/".join(rest)


def accounts_key(number: int) -> str:
    """Return the key of one version of customers and keys; a later one has a greater number."""
    return f"{ACCOUNTS}{_counted(number)}.json"


def kept_usage_key(generation: int, deletion_no: int) -> str:
    """Return the key of what batches were billed that were deleted up to a number."""
    return f"{KEPT_USAGE}{_counted(generation, 4)}-{_counted(deletion_no, 12)}.jsonl"


def staged_files_prefix(day: date) -> str:
    """Return the prefix of all pieces of staged files that expire on this day (UTC)."""
    return f"{STAGED_FILES}{day:%Y-%m-%d}/"


def staged_files_key(day: date, generation: int, file_no: int) -> str:
    """Return the key of a piece of staged files that expire on this day (UTC), up to a number."""
    return f"{staged_files_prefix(day)}{_counted(generation, 4)}-{_counted(file_no, 12)}.jsonl"


def staged_files_day(key: str) -> date:
    """Return the day of such a key. Raises ValueError for another key."""
    return date.fromisoformat(key.removeprefix(STAGED_FILES).partition("/")[0])


def batch_prefix(batch_id: BatchId) -> str:
    """Return the prefix of a batch's manifest and outcomes. Raises ValueError for an odd id."""
    return f"{BATCHES}{_checked(batch_id)}/"


def manifest_key(batch_id: BatchId) -> str:
    """Return the key of what a batch was asked to do. Raises ValueError for an odd id."""
    return f"{batch_prefix(batch_id)}manifest.json"


def outcomes_key(batch_id: BatchId) -> str:
    """Return the key of all outcomes of a batch in one object. Raises ValueError for an odd id."""
    return f"{batch_prefix(batch_id)}outcomes.jsonl"


def outcomes_prefix(batch_id: BatchId) -> str:
    """Return the prefix of the pieces of a batch's outcomes. Raises ValueError for an odd id."""
    return f"{batch_prefix(batch_id)}outcomes/"


def outcomes_piece_key(batch_id: BatchId, microseconds: int) -> str:
    """Return the key of the outcomes up to a commit, microseconds since 1970. Raises ValueError for odd ones."""
    return f"{outcomes_prefix(batch_id)}{_counted(microseconds)}.jsonl"


def batch_of(key: str) -> BatchId:
    """Return the batch that a manifest or outcome belongs to, by its key. Raises ValueError for another key."""
    if not key.startswith(BATCHES):
        raise ValueError(f"not below a batch: {key!r}")
    return BatchId(_checked(key.removeprefix(BATCHES).partition("/")[0]))


def file_of(key: str) -> FileId:
    """Return the file that an input belongs to, by its key. Raises ValueError for another key."""
    customer, _, rest = key.removeprefix(INPUTS).partition("/")
    day, _, file_id = rest.partition("/")
    found = FileId(_checked(file_id))
    if key != input_key(CustomerId(customer), date.fromisoformat(day), found):
        raise ValueError(f"not an input: {key!r}")
    return found


def result_of(key: str) -> tuple[CustomerId, ResultId]:
    """Return the customer and result that an object belongs to, by its key. Raises ValueError for another key."""
    customer, _, rest = key.removeprefix(RESULTS).partition("/")
    found = CustomerId(customer), ResultId(rest.partition("/")[0])
    if not key.startswith(result_prefix(*found)):
        raise ValueError(f"not of a result: {key!r}")
    return found


def result_id(customer_id: CustomerId, sha256: str, options: ParseOptions) -> ResultId:
    """Return the id under which this work is kept, so that it is never done twice.

    The same bytes (`sha256`, 64 lower-case hex digits) of one customer, read with the same options, give the same id,
    `res_` and 40 hex digits. Raises ValueError when the digest is none or no engine has been chosen.
    """
    if not _SHA256.fullmatch(sha256):
        raise ValueError("sha256 must be 64 lower-case hex digits")
    if options.engine is None or options.engine_version is None:
        raise ValueError("a result is named by the engine that read, and its version")
    read = {name: value for name, value in options.to_values().items() if not name.startswith("engine")}
    work = {
        "customer_id": customer_id,
        "engine": options.engine,
        "engine_version": options.engine_version,
        # Earlier versions could read a part of a document and said here which. A whole reading keeps the id it had.
        "options": {"extract_text": True, "extract_images": True, **read},
        "sha256": sha256,
    }
    return ResultId(f"res_{_digest(work)[:40]}")


def _digest(values: Mapping[str, object]) -> str:
    """Return the SHA-256 of the canonical JSON of these values. Raises ValueError if they are not plain JSON."""
    try:
        canonical = json.dumps(values, sort_keys=True, separators=(",", ":"), allow_nan=False)
    except TypeError as error:
        raise ValueError(f"options must be plain JSON: {error}") from error
    return hashlib.sha256(canonical.encode("ascii")).hexdigest()


def _counted(number: int, digits: int = 18) -> str:
    """Return a number so that keys sort by it."""
    if number < 0 or len(str(number)) > digits:
        raise ValueError(f"not a number of {digits} digits at most: {number}")
    return f"{number:0{digits}}"


def _checked(identifier: str) -> str:
    if not _IDENTIFIER.fullmatch(identifier):
        raise ValueError(f"not an identifier: {identifier!r}")
    return identifier
