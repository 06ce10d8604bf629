"""A folder of results, with `items.jsonl`: one line for each file, how it ended or that it has not yet.

Lines are appended while a batch runs and put in order at its end, so that an interrupted submission can be continued
by whoever reads them. Several batches share a folder: each replaces the lines of its own names only.
"""

import fcntl
import json
import os
import secrets
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from octavo.client.inputs import Input
from octavo.client.names import comparable, local_name, numbered, result_name, wire_name

LIST = "items.jsonl"
Json = dict[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class ItemEnd:
    """How one file ended."""

    input: Input
    batch_id: str
    item_id: str
    status: str
    page_count: int | None
    chunk_count: int | None
    error: Json | None
    result: Path | None
    warnings: tuple[str, ...] = ()
    """Warnings in the result: unreadable pages, repairs and the like."""
    failed_pages: int = 0
    position: int | None = None
    completed_at: str | None = None


def as_row(end: ItemEnd) -> Json:
    """Return how a file ended as plain JSON values; bytes of a name that are not UTF-8 as `\\xff`."""
    return {
        "file": wire_name(end.input.name),
        "status": end.status,
        "page_count": end.page_count,
        "failed_pages": end.failed_pages,
        "chunk_count": end.chunk_count,
        "error": end.error,
        "warnings": list(end.warnings),
        "result": wire_name(str(end.result)) if end.result else None,
        "batch_id": end.batch_id,
        "item_id": end.item_id,
        "position": end.position,
        "completed_at": end.completed_at,
    }


class ResultsFolder:
    """Results of any number of batches. Thread-safe, and several processes may use one folder."""

    def __init__(self, path: Path) -> None:
        path.mkdir(parents=True, exist_ok=True)
        self.path = path
        self._lock = threading.Lock()
        self._is_exact = _tells_names_apart(path)
        self._rows = self._read()

    def named(self, inputs: Sequence[Input]) -> list[Input]:
        """Number names so that no result overwrites that of another file, of this batch or of an earlier one."""
        sources = {name: row["source"] for name, row in self._rows.items() if row.get("source")}
        taken = {self._key(result_name(name)): source for name, source in sources.items()}
        # A file and a folder cannot share a name: `a` has the result `a.json`, and so may the folder of `a.json/b`.
        folders = {self._key(str(folder)) for one in inputs for folder in Path(one.name).parents}
        used: set[str] = set()
        return [self._free(one, taken, folders, used) for one in inputs]

    def _free(self, one: Input, taken: Mapping[str, str], folders: set[str], used: set[str]) -> Input:
        name, number, source = one.name, 1, _source(one.path)
        while (key := self._key(result_name(name))) in used or key in folders or taken.get(key, source) != source:
            number += 1
            name = numbered(one.name, number)
        used.add(key)
        return Input(one.path, name)

    def _key(self, name: str) -> str:
        return comparable(name, is_exact=self._is_exact)

    def expect(self, batch_id: str, inputs: Mapping[int, Input]) -> None:
        """Note under which name the result of each position of a batch will be written."""
        waiting = {"status": "pending", "batch_id": batch_id}
        rows = [
            {"file": wire_name(one.name), **waiting, "position": position, "source": _source(one.path)}
            for position, one in inputs.items()
        ]
        self._append(rows)

    def expected(self, batch_id: str) -> dict[int, Input]:
        """Return what was noted of a batch, by position."""
        found = {
            row.get("position"): (name, row) for name, row in self._rows.items() if row.get("batch_id") == batch_id
        }
        return {
            position: Input(Path(local_name(row.get("source") or name)), name)
            for position, (name, row) in found.items()
            if isinstance(position, int)
        }

    def add(self, end: ItemEnd) -> None:
        """Note how a file ended."""
        self._append([as_row(end) | {"source": _source(end.input.path)}])

    def kept(self, found: Input, item: Json) -> ItemEnd | None:
        """Return how an item ended whose result is here already, from this very end of it."""
        row = self._rows.get(found.name, {})
        result = self.path / result_name(found.name)
        named = ("item_id", "completed_at", "status")
        told = (item["id"], item.get("completed_at"), item["status"])
        if tuple(row.get(name) for name in named) != told or not row.get("result") or not result.is_file():
            return None
        end = _end(found, item)
        return replace(end, result=result, chunk_count=row.get("chunk_count"), warnings=tuple(row.get("warnings", ())))

    def write(self, found: Input, item: Json, body: bytes) -> ItemEnd:
        """Write a result, whole or not at all, and return how its file ended."""
        target = self.path / result_name(found.name)
        target.parent.mkdir(parents=True, exist_ok=True)
        draft = target.parent / f".{secrets.token_hex(8)}.part"
        try:
            draft.write_bytes(body)
            draft.replace(target)
        finally:
            draft.unlink(missing_ok=True)
        result = json.loads(body)
        warnings = tuple(str(warning) for warning in result.get("warnings", ()))
        return replace(_end(found, item), result=target, chunk_count=len(result["chunks"]), warnings=warnings)

    def without_result(self, found: Input, item: Json, error: Json | None = None) -> ItemEnd:
        """Return how a file ended of which there is nothing to write."""
        return replace(_end(found, item), error=error or item["error"])

    def put_in_order(self) -> None:
        """Leave one line for each file in `items.jsonl`, in the order in which they were submitted."""
        with self._alone():
            self._rows = self._read()
            draft = self.path / f".{LIST}.{secrets.token_hex(8)}.part"
            draft.write_text("".join(json.dumps(row) + "\n" for row in self._rows.values()))
            draft.replace(self.path / LIST)

    def _append(self, rows: Sequence[Json]) -> None:
        with self._alone(), (self.path / LIST).open("a") as stream:
            stream.writelines(json.dumps(row) + "\n" for row in rows)
            self._rows |= {local_name(row["file"]): row for row in rows}

    def _read(self) -> dict[str, Json]:
        """Return the last line of each name; a line cut short by a full disk or a kill is none."""
        found: dict[str, Json] = {}
        for line in (self.path / LIST).read_text().splitlines() if (self.path / LIST).exists() else ():
            try:
                row = json.loads(line)
                found[local_name(row["file"])] = row
            except (ValueError, KeyError, TypeError):
                continue
        return found

    @contextmanager
    def _alone(self) -> Iterator[None]:
        """Keep other threads and processes away from `items.jsonl`."""
        with self._lock:
            folder = os.open(self.path, os.O_RDONLY)
            try:
                fcntl.flock(folder, fcntl.LOCK_EX)
                yield
            finally:
                os.close(folder)


def _source(path: Path) -> str:
    return wire_name(str(path.absolute()))


def _end(found: Input, item: Json) -> ItemEnd:
    return ItemEnd(
        input=found,
        batch_id=item["batch_id"],
        item_id=item["id"],
        status=item["status"],
        page_count=item["page_count"],
        chunk_count=None,
        error=item["error"],
        result=None,
        # Other services do not report these.
        failed_pages=item.get("failed_pages") or 0,
        position=item.get("position"),
        completed_at=item.get("completed_at"),
    )


def _tells_names_apart(folder: Path) -> bool:
    """Whether a file system keeps names apart that differ in case or in how an accent is written."""
    probe = folder / f".{secrets.token_hex(4)}-\u00e9a"
    other = probe.with_name(probe.name.replace("\u00e9a", "e\u0301A"))
    try:
        probe.touch()
        return not any(one.exists() for one in (other, probe.with_name(probe.name.upper())))
    finally:
        probe.unlink(missing_ok=True)
