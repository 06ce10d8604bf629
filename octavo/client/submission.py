"""One submission, from files on disk to results on disk, as done by `octavo submit`."""

import json
import mimetypes
import secrets
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from octavo.client.customer import CustomerClient, Refused, Staged
from octavo.errors import InvalidSettings

BATCH_FILES = 10_000
PARALLEL = 8
STAGED_AT_ONCE = 500
"""Few enough that their upload addresses, valid for an hour, are used in time."""
TOO_LARGE = 413
RUN_OUT = (400, 403)
"""What storage answers when an address has expired."""


@dataclass(frozen=True, slots=True)
class Input:
    """A file to submit, and the name of its result relative to the output folder."""

    path: Path
    name: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ItemEnd:
    """How one file ended."""

    input: Input
    batch_id: str
    item_id: str
    status: str
    page_count: int | None
    chunk_count: int | None
    error: dict[str, Any] | None
    result: Path | None
    warnings: tuple[str, ...] = ()
    """Warnings in the result: unreadable pages, repairs and the like."""
    failed_pages: int = 0


@dataclass(frozen=True, slots=True)
class Progress:
    """Callbacks of a submission; each may be called from any thread."""

    uploaded: Callable[[Input], None]
    submitted: Callable[[dict[str, Any]], None]
    changed: Callable[[dict[str, Any]], None]
    ended: Callable[[ItemEnd], None]


def find_inputs(paths: Sequence[Path]) -> list[Input]:
    """Return the files among and below these paths, in order, without hidden ones.

    Raises InvalidSettings for a missing path, and if nothing was found.
    """
    found: list[Input] = []
    for path in paths:
        if path.is_dir():
            inside = sorted(child for child in path.rglob("*") if child.is_file())
            visible = [child for child in inside if not _is_hidden(child.relative_to(path))]
            found += [Input(child, str(child.relative_to(path))) for child in visible]
        elif path.is_file():
            found.append(Input(path, path.name))
        else:
            raise InvalidSettings(f"There is no file or folder {path}.")
    if not found:
        raise InvalidSettings("There are no files in the given paths.")
    return _unambiguous(found)


def _is_hidden(path: Path) -> bool:
    return any(part.startswith(".") for part in path.parts)


def _unambiguous(inputs: list[Input]) -> list[Input]:
    """Number names that occur more than once, so that no result overwrites another."""
    seen: dict[str, int] = {}
    named = []
    for found in inputs:
        times = seen[found.name] = seen.get(found.name, 0) + 1
        name = found.name if times == 1 else f"{found.name}.{times}"
        named.append(Input(found.path, name))
    return named


def submit(
    client: CustomerClient, inputs: Sequence[Input], out: Path, *, engine: str | None, progress: Progress
) -> list[ItemEnd]:
    """Stage, upload, submit, follow and fetch, one batch per 10,000 files; return how each file ended.

    A file of 0 bytes cannot be staged (the contract asks for at least one) and ends as failed here.
    Raises Refused, ServiceUnreachable.
    """
    out.mkdir(parents=True, exist_ok=True)
    ends: list[ItemEnd] = []
    for first in range(0, len(inputs), BATCH_FILES):
        ends += _submit_batch(client, inputs[first : first + BATCH_FILES], out, engine, progress)
    order = {found: number for number, found in enumerate(inputs)}
    ends.sort(key=lambda end: order[end.input])
    _write_list(ends, out)
    return ends


def fetch(client: CustomerClient, batch_id: str, out: Path, progress: Progress) -> list[ItemEnd]:
    """Follow an earlier batch and write its results; return how each file ended, by position.

    Results are named after the staged files. Raises Refused, ServiceUnreachable.
    """
    out.mkdir(parents=True, exist_ok=True)
    ended = sorted(_ended_items(client, batch_id, progress), key=lambda item: int(item["position"]))
    with ThreadPoolExecutor(PARALLEL) as pool:
        names = pool.map(lambda item: _safe_name(client.filename(item["file_id"]), item["id"]), ended)
        inputs = _unambiguous([Input(Path(name), name) for name in names])
        ends = list(
            pool.map(lambda pair: _fetch(client, pair[0], pair[1], out, progress), zip(inputs, ended, strict=True))
        )
    _write_list(ends, out)
    return ends


def _safe_name(untrusted_name: str | None, otherwise: str) -> str:
    """Return a name without folders, so that a file name cannot lead out of the output folder."""
    name = Path((untrusted_name or "").replace("\\", "/")).name
    return name if name not in ("", ".", "..") else otherwise


def _write_list(ends: Sequence[ItemEnd], out: Path) -> None:
    with (out / "items.jsonl").open("w") as stream:
        stream.writelines(json.dumps(as_row(end)) + "\n" for end in ends)


def as_row(end: ItemEnd) -> dict[str, Any]:
    """Return how a file ended as plain JSON values."""
    return {
        "file": end.input.name,
        "status": end.status,
        "page_count": end.page_count,
        "failed_pages": end.failed_pages,
        "chunk_count": end.chunk_count,
        "error": end.error,
        "warnings": list(end.warnings),
        "result": str(end.result) if end.result else None,
        "batch_id": end.batch_id,
        "item_id": end.item_id,
    }


def _submit_batch(
    client: CustomerClient, inputs: Sequence[Input], out: Path, engine: str | None, progress: Progress
) -> list[ItemEnd]:
    ends = [_refuse_empty(found, progress) for found in inputs if found.path.stat().st_size == 0]
    full = [found for found in inputs if found.path.stat().st_size > 0]
    if not full:
        return ends
    with ThreadPoolExecutor(PARALLEL) as pool:
        sent: list[str | ItemEnd] = []
        for first in range(0, len(full), STAGED_AT_ONCE):
            some = full[first : first + STAGED_AT_ONCE]
            staged = _stage_many(client, some, progress)
            sent += pool.map(lambda pair: _send(client, pair[0], pair[1], progress), zip(some, staged, strict=True))
        ends += [one for one in sent if isinstance(one, ItemEnd)]
        taken = [(found, one) for found, one in zip(full, sent, strict=True) if isinstance(one, str)]
        if not taken:
            return ends
        file_ids = [file_id for _, file_id in taken]
        batch = client.submit(file_ids, engine=engine, idempotency_key=f"submit-{secrets.token_hex(16)}")
        progress.submitted(batch)
        fetches = [
            pool.submit(_fetch, client, taken[item["position"]][0], item, out, progress)
            for item in _ended_items(client, batch["id"], progress)
        ]
        return ends + [fetch.result() for fetch in fetches]


def _refuse_empty(found: Input, progress: Progress) -> ItemEnd:
    return _refused(found, "unsupported_input", "The file is empty.", progress)


def _refused(found: Input, code: str, message: str, progress: Progress) -> ItemEnd:
    error = {"code": code, "message": message, "retryable": False}
    end = ItemEnd(
        input=found,
        batch_id="",
        item_id="",
        status="failed",
        page_count=None,
        chunk_count=None,
        error=error,
        result=None,
    )
    progress.ended(end)
    return end


def _stage_many(
    client: CustomerClient, inputs: Sequence[Input], progress: Progress
) -> Sequence[Staged | ItemEnd | None]:
    """Stage files in one call; return None for each if the service has no such call.

    A file that the service does not accept has ended.
    """
    ends: dict[Input, ItemEnd] = {}
    while True:
        left = [found for found in inputs if found not in ends]
        try:
            staged = client.stage_many([(found.path, _content_type(found)) for found in left]) if left else []
        except Refused as refusal:
            limit = _limit_bytes(refusal)
            large = [found for found in left if limit is not None and found.path.stat().st_size > limit]
            if not large:
                raise
            message = f"The file has more than the {limit} bytes that the service accepts."
            ends |= {found: _refused(found, "document_too_large", message, progress) for found in large}
            continue
        by_input = {} if staged is None else dict(zip(left, staged, strict=True))
        return [ends.get(found) or by_input.get(found) for found in inputs]


def _limit_bytes(refusal: Refused) -> int | None:
    """Return how large a file may be, if its size is why the service refused it."""
    body = refusal.facts.get("body")
    limit = body.get("limit_bytes") if isinstance(body, dict) and refusal.facts.get("status") == TOO_LARGE else None
    return limit if isinstance(limit, int) else None


def _send(client: CustomerClient, found: Input, staged: Staged | ItemEnd | None, progress: Progress) -> str | ItemEnd:
    """Return the id of an accepted file, or how a file ended that the service does not accept."""
    if isinstance(staged, ItemEnd):
        return staged
    try:
        taken = _upload(client, found, staged)
    except Refused as refusal:
        if refusal.facts.get("status") != TOO_LARGE:
            raise
        return _refused(found, "document_too_large", refusal.message, progress)
    progress.uploaded(found)
    return taken.file_id


def _upload(client: CustomerClient, found: Input, staged: Staged | None) -> Staged:
    """Upload a file; if its address expired while others were uploaded, stage it once more."""
    if staged is not None:
        try:
            client.upload(staged, found.path)
        except Refused as refusal:
            if refusal.facts.get("status") not in RUN_OUT:
                raise
        else:
            return staged
    staged = client.stage(found.path, content_type=_content_type(found))
    client.upload(staged, found.path)
    return staged


def _content_type(found: Input) -> str | None:
    return mimetypes.guess_type(found.path.name)[0]


def _ended_items(client: CustomerClient, batch_id: str, progress: Progress) -> Iterator[dict[str, Any]]:
    """Yield each item once, when it has ended."""
    seen: set[str] = set()
    for batch in client.follow(batch_id):
        progress.changed(batch)
        for item in batch["items"]:
            if item["status"] in ("succeeded", "failed", "cancelled") and item["id"] not in seen:
                seen.add(item["id"])
                yield item


def _fetch(client: CustomerClient, found: Input, item: dict[str, Any], out: Path, progress: Progress) -> ItemEnd:
    target: Path | None = None
    chunks: int | None = None
    warnings: tuple[str, ...] = ()
    if item["status"] == "succeeded":
        body = client.result(item["batch_id"], item["id"])
        target = out / f"{found.name}.json"
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(body)
        found_result = json.loads(body)
        chunks = len(found_result["chunks"])
        warnings = tuple(str(warning) for warning in found_result.get("warnings", ()))
    end = ItemEnd(
        input=found,
        batch_id=item["batch_id"],
        item_id=item["id"],
        status=item["status"],
        page_count=item["page_count"],
        chunk_count=chunks,
        error=item["error"],
        result=target,
        warnings=warnings,
        # Other services do not report them.
        failed_pages=item.get("failed_pages") or 0,
    )
    progress.ended(end)
    return end
