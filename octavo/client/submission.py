"""One submission, from files on disk to results on disk; `octavo fetch` is its second half."""

import mimetypes
import secrets
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from octavo.client.customer import CustomerClient, NewUpload, Refused, Staged
from octavo.client.inputs import Input, UnreadableFile, size_of
from octavo.client.names import local_name, relative_name, wire_name
from octavo.client.results_folder import ItemEnd, ResultsFolder

BATCH_FILES = 10_000
PARALLEL = 8
STAGED_AT_ONCE = 500
"""Few enough that their upload addresses, valid for an hour, are used in time."""
TOO_LARGE = 413
RUN_OUT = (400, 403)
"""What storage answers when an address has expired, or the size is not the one that was announced."""
WITHOUT_RESULT = (404, 409, 410)
"""What the service answers for a result that has expired, was deleted or is being read again."""
ENDED = ("succeeded", "failed", "cancelled")


@dataclass(frozen=True, slots=True)
class Progress:
    """Callbacks of a submission; each may be called from any thread."""

    uploaded: Callable[[Input], None]
    submitted: Callable[[dict[str, Any]], None]
    changed: Callable[[dict[str, Any]], None]
    ended: Callable[[ItemEnd], None]


def submit(
    client: CustomerClient, inputs: Sequence[Input], out: Path, *, engine: str | None, progress: Progress
) -> list[ItemEnd]:
    """Stage, upload, submit, follow and fetch, one batch per 10,000 files; return how each file ended.

    A file that is empty, cannot be read or is too large ends as failed here, and the others go on.
    Raises Refused, ServiceUnreachable.
    """
    folder = ResultsFolder(out)
    named = folder.named(inputs)
    ends: list[ItemEnd] = []
    try:
        for first in range(0, len(named), BATCH_FILES):
            ends += _Submission(client, folder, engine, progress).run(named[first : first + BATCH_FILES])
    finally:
        folder.put_in_order()
    order = {found.name: number for number, found in enumerate(named)}
    return sorted(ends, key=lambda end: order[end.input.name])


def fetch(client: CustomerClient, batch_id: str, out: Path, progress: Progress) -> list[ItemEnd]:
    """Follow an earlier batch and write the results that are missing; return how each file ended, by position.

    Names are those that `submit` gave in this folder, otherwise those of the staged files.
    Raises Refused, ServiceUnreachable.
    """
    folder = ResultsFolder(out)
    with _threads() as pool:
        inputs = folder.expected(batch_id)
        if len(inputs) < client.batch(batch_id)["total_items"]:
            inputs = _staged_inputs(client, batch_id, folder, pool)
            folder.expect(batch_id, inputs)
        try:
            ends = _collect(client, batch_id, inputs, folder, progress, pool)
        finally:
            folder.put_in_order()
    return sorted(ends, key=lambda end: end.position or 0)


def _staged_inputs(
    client: CustomerClient, batch_id: str, folder: ResultsFolder, pool: ThreadPoolExecutor
) -> dict[int, Input]:
    """Return the names of all positions as the service knows them."""
    items = {int(item["position"]): item for item in client.items(batch_id)}
    positions = sorted(items)
    wires = pool.map(lambda position: client.filename(items[position]["file_id"]), positions)
    names = [
        relative_name(local_name(wire) if wire else None, items[position]["id"])
        for position, wire in zip(positions, wires, strict=True)
    ]
    # There is no such file here; the path only tells this document from another of the same name.
    inputs = [Input(Path("/") / batch_id / name, name) for name in names]
    return dict(zip(positions, folder.named(inputs), strict=True))


def _collect(
    client: CustomerClient,
    batch_id: str,
    inputs: Mapping[int, Input],
    folder: ResultsFolder,
    progress: Progress,
    pool: ThreadPoolExecutor,
) -> list[ItemEnd]:
    """Follow a batch and write every result that is not here yet."""

    def fetched(item: dict[str, Any]) -> ItemEnd:
        found = inputs[item["position"]]
        end = folder.kept(found, item)
        if end is None:
            end = _fetch(client, found, item, folder)
            folder.add(end)
        progress.ended(end)
        return end

    pending = [pool.submit(fetched, item) for item in _ended_items(client, batch_id, progress)]
    return [one.result() for one in pending]


def _ended_items(client: CustomerClient, batch_id: str, progress: Progress) -> Iterator[dict[str, Any]]:
    """Yield each item once, when it has ended."""
    seen: set[str] = set()
    for batch in client.follow(batch_id):
        progress.changed(batch)
        for item in batch["items"]:
            if item["status"] in ENDED and item["id"] not in seen:
                seen.add(item["id"])
                yield item


def _fetch(client: CustomerClient, found: Input, item: dict[str, Any], folder: ResultsFolder) -> ItemEnd:
    if item["status"] != "succeeded":
        return folder.without_result(found, item)
    try:
        body = client.result(item["batch_id"], item["id"])
    except Refused as refusal:
        if refusal.facts.get("status") not in WITHOUT_RESULT:
            raise
        return folder.without_result(found, item, _error(refusal.told_code, refusal.message))
    return folder.write(found, item, body)


class _Submission:
    """The way of up to 10,000 files into one batch."""

    def __init__(self, client: CustomerClient, folder: ResultsFolder, engine: str | None, progress: Progress) -> None:
        self._client = client
        self._folder = folder
        self._engine = engine
        self._progress = progress

    def run(self, inputs: Sequence[Input]) -> list[ItemEnd]:
        """Upload, submit and collect; return how each file ended."""
        with _threads() as pool:
            sent: list[tuple[Input, str | ItemEnd]] = []
            for first in range(0, len(inputs), STAGED_AT_ONCE):
                sent += self._send_all(inputs[first : first + STAGED_AT_ONCE], pool)
            ends = [one for _, one in sent if isinstance(one, ItemEnd)]
            taken = [(found, one) for found, one in sent if isinstance(one, str)]
            if not taken:
                return ends
            batch = self._client.submit(
                [file_id for _, file_id in taken],
                engine=self._engine,
                idempotency_key=f"submit-{secrets.token_hex(16)}",
            )
            names = {position: found for position, (found, _) in enumerate(taken)}
            self._folder.expect(batch["id"], names)
            self._progress.submitted(batch)
            return ends + _collect(self._client, batch["id"], names, self._folder, self._progress, pool)

    def _send_all(self, inputs: Sequence[Input], pool: ThreadPoolExecutor) -> list[tuple[Input, str | ItemEnd]]:
        """Stage and upload; return the id of each accepted file, or how a file ended that was not accepted."""
        sizes = dict(zip(inputs, pool.map(self._size, inputs), strict=True))
        ends: dict[Input, ItemEnd] = {found: size for found, size in sizes.items() if isinstance(size, ItemEnd)}
        news = {found: _new(found, size) for found, size in sizes.items() if isinstance(size, int)}
        staged, too_large = self._stage_many(news)
        ends |= too_large
        left = [found for found in news if found not in ends]
        sent = dict(zip(left, pool.map(lambda found: self._send(found, staged.get(found)), left), strict=True))
        return [(found, ends.get(found) or sent[found]) for found in inputs]

    def _size(self, found: Input) -> int | ItemEnd:
        try:
            size = size_of(found.path)
        except UnreadableFile as error:
            return self._refused(found, error.code, error.message)
        return size or self._refused(found, "unsupported_input", "The file is empty.")

    def _stage_many(self, news: Mapping[Input, NewUpload]) -> tuple[dict[Input, Staged], dict[Input, ItemEnd]]:
        """Stage files in one call, if the service has such a call; a file over its limit has ended."""
        ends: dict[Input, ItemEnd] = {}
        while left := {found: new for found, new in news.items() if found not in ends}:
            try:
                staged = self._client.stage_many(list(left.values()))
            except Refused as refusal:
                limit = _limit_bytes(refusal)
                large = [found for found, new in left.items() if limit is not None and new.size_bytes > limit]
                if not large:
                    raise
                message = f"The file has more than the {limit} bytes that the service accepts."
                ends |= {found: self._refused(found, "document_too_large", message) for found in large}
                continue
            return ({} if staged is None else dict(zip(left, staged, strict=True))), ends
        return {}, ends

    def _send(self, found: Input, staged: Staged | None) -> str | ItemEnd:
        """Return the id of an accepted file, or how a file ended that is not accepted."""
        try:
            taken = self._upload(found, staged)
        except UnreadableFile as error:
            return self._refused(found, error.code, error.message)
        except Refused as refusal:
            if refusal.facts.get("status") != TOO_LARGE:
                raise
            return self._refused(found, "document_too_large", refusal.message)
        self._progress.uploaded(found)
        return taken.file_id

    def _upload(self, found: Input, staged: Staged | None) -> Staged:
        """Upload a file; if its address expired or the file has changed meanwhile, stage it once more."""
        if staged is not None:
            try:
                self._client.upload(staged, found.path)
            except UnreadableFile:
                pass
            except Refused as refusal:
                if refusal.facts.get("status") not in RUN_OUT:
                    raise
            else:
                return staged
        new = _new(found, 0)
        staged = self._client.stage(found.path, filename=new.filename, content_type=new.content_type)
        self._client.upload(staged, found.path)
        return staged

    def _refused(self, found: Input, code: str, message: str) -> ItemEnd:
        end = ItemEnd(
            input=found,
            batch_id="",
            item_id="",
            status="failed",
            page_count=None,
            chunk_count=None,
            error=_error(code, message),
            result=None,
        )
        self._folder.add(end)
        self._progress.ended(end)
        return end


def _error(code: str, message: str) -> dict[str, Any]:
    return {"code": code, "message": message, "retryable": False}


def _new(found: Input, size_bytes: int) -> NewUpload:
    return NewUpload(wire_name(found.name), size_bytes, mimetypes.guess_type(found.name)[0])


def _limit_bytes(refusal: Refused) -> int | None:
    """Return how large a file may be, if its size is why the service refused it."""
    body = refusal.facts.get("body")
    limit = body.get("limit_bytes") if isinstance(body, dict) and refusal.facts.get("status") == TOO_LARGE else None
    return limit if isinstance(limit, int) else None


@contextmanager
def _threads() -> Iterator[ThreadPoolExecutor]:
    """Yield threads that, when something goes wrong, begin nothing further."""
    pool = ThreadPoolExecutor(PARALLEL)
    try:
        yield pool
    except BaseException:
        pool.shutdown(wait=False, cancel_futures=True)
        raise
    pool.shutdown()
