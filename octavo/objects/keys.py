"""Every object key is spelled here, and nowhere else.

    in/{customer_id}/{yyyy-mm-dd}/{file_id}                    an input, under the day it was staged
    results/{customer_id}/{result_id}/document.json            the document model
    results/{customer_id}/{result_id}/extract-page.json        the same, rendered for the dialect
    results/{customer_id}/{result_id}/images/{n}               figures too large to be inline, from 0
    ledger/batches/{batch_id}/manifest.json                    what a batch was asked to do
    ledger/batches/{batch_id}/outcomes/{item_id}.json          what one item came to

No key is another's directory: S3 would not mind, a server that keeps files does. Identifiers are
lower-case words without dots or slashes, so that keys stay apart on a file system that ignores
case, and none can climb out of its folder.
"""

import hashlib
import json
import re
from collections.abc import Mapping
from datetime import date
from typing import Literal

from octavo.identifiers import BatchId, CustomerId, FileId, ItemId, ResultId

_IDENTIFIER = re.compile(r"[a-z0-9][a-z0-9_-]{0,99}")
_SHA256 = re.compile(r"[0-9a-f]{64}")

ResultPart = Literal["document.json", "extract-page.json"]
_RESULT_PARTS: tuple[ResultPart, ...] = ("document.json", "extract-page.json")

INPUTS = "in/"
"""Prefix of every input."""
RESULTS = "results/"
"""Prefix of every result."""
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


def result_image_key(customer_id: CustomerId, result_id: ResultId, number: int) -> str:
    """Return the key of a result's image, counted from 0. Raises ValueError for an odd id or number."""
    if number < 0:
        raise ValueError(f"images are counted from 0, not {number}")
    return f"{result_prefix(customer_id, result_id)}images/{number}"


def batch_prefix(batch_id: BatchId) -> str:
    """Return the prefix of a batch's manifest and outcomes. Raises ValueError for an odd id."""
    return f"{BATCHES}{_checked(batch_id)}/"


def manifest_key(batch_id: BatchId) -> str:
    """Return the key of what a batch was asked to do. Raises ValueError for an odd id."""
    return f"{batch_prefix(batch_id)}manifest.json"


def outcomes_prefix(batch_id: BatchId) -> str:
    """Return the prefix of a batch's outcomes. Raises ValueError for an odd id."""
    return f"{batch_prefix(batch_id)}outcomes/"


def outcome_key(batch_id: BatchId, item_id: ItemId) -> str:
    """Return the key of what an item came to. Raises ValueError for an odd id."""
    return f"{outcomes_prefix(batch_id)}{_checked(item_id)}.json"


def result_id(
    customer_id: CustomerId, sha256: str, engine: str, engine_version: str, options: Mapping[str, object]
) -> ResultId:
    """Return the id under which this work is kept, so that it is never done twice.

    The same bytes (`sha256`, 64 lower-case hex digits), engine, version and options of one customer
    give the same id, `res_` and 40 hex digits. `options` are plain JSON values; their order does not
    count. Raises ValueError when the digest is none or the options are not JSON.
    """
    if not _SHA256.fullmatch(sha256):
        raise ValueError("sha256 must be 64 lower-case hex digits")
    work = {
        "customer_id": customer_id,
        "engine": engine,
        "engine_version": engine_version,
        "options": dict(options),
        "sha256": sha256,
    }
    try:
        canonical = json.dumps(work, sort_keys=True, separators=(",", ":"), allow_nan=False)
    except TypeError as error:
        raise ValueError(f"options must be plain JSON: {error}") from error
    return ResultId(f"res_{hashlib.sha256(canonical.encode('ascii')).hexdigest()[:40]}")


def _checked(identifier: str) -> str:
    if not _IDENTIFIER.fullmatch(identifier):
        raise ValueError(f"not an identifier: {identifier!r}")
    return identifier
