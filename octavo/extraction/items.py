"""One item from its bytes in storage to its result in storage: what a worker does between claim and outcome.

Everything the document itself can be blamed for becomes a value (`Failed`); storage that is down,
a child that somebody killed and the like are raised, for they say nothing of the document.
"""

import json
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from octavo.batches import ClaimedItem
from octavo.engines.contract import ExtractOptions, Source
from octavo.errors import DocumentError, ExtractionFailed, OcrProviderError, StorageUnavailable, UploadMissing
from octavo.extraction.extractor import Extraction, Extractor
from octavo.identifiers import ResultId
from octavo.objects import keys
from octavo.objects.contract import Downloaded, ObjectMissing, ObjectStore, ObjectTooLarge
from octavo.outcomes import Outcome, Succeeded, failure
from octavo.render.chunks import render_chunks


@dataclass(frozen=True, slots=True)
class ItemOptions:
    """The options of a batch as one item needs them."""

    engine: str
    extract_text: bool
    extract_images: bool

    @classmethod
    def of_batch(cls, options: Mapping[str, object]) -> "ItemOptions":
        """Read them from a batch's effective options."""
        return cls(
            engine=str(options["engine"]),
            extract_text=bool(options["extract_text"]),
            extract_images=bool(options["extract_images"]),
        )


class ItemWork:
    """Works on items, any number at once; `Extractor` sees to it how many are parsed at once."""

    def __init__(self, objects: ObjectStore, extractor: Extractor, *, folder: Path | None) -> None:
        self._objects = objects
        self._extractor = extractor
        self._folder = folder

    def do(self, item: ClaimedItem, options: ItemOptions, *, begin: Callable[[], None]) -> Outcome:
        """Return what the item came to; its result is in storage when it succeeded.

        `begin` is called once, when work on the document really begins; what it raises ends the work.
        Raises OcrProviderError (worth another attempt), StorageUnavailable, ChildLost.
        """
        began = _Once(begin)
        with tempfile.TemporaryDirectory(prefix="octavo-item-", dir=self._folder) as folder:
            path = Path(folder) / "input"
            sha256 = None
            try:
                sha256 = self._fetch(item, path).sha256
                extraction = self._extract(item, path, options, began)
            except OcrProviderError:
                raise
            except DocumentError as error:
                began()
                return failure(error, sha256=sha256)
        return self._keep(item, options, sha256, extraction)

    def is_storage_there(self) -> bool:
        """Whether storage answers."""
        try:
            self._objects.check()
        except StorageUnavailable:
            return False
        return True

    def _fetch(self, item: ClaimedItem, path: Path) -> Downloaded:
        try:
            found = self._objects.download(item.object_key, path, max_bytes=item.size_bytes)
        except ObjectMissing:
            raise UploadMissing("The file's bytes are not in storage any more; upload it again.") from None
        except ObjectTooLarge as error:
            raise ExtractionFailed(
                f"The stored file is larger than the {item.size_bytes} bytes that were declared; upload it again."
            ) from error
        if found.size != item.size_bytes:
            raise ExtractionFailed(
                f"The stored file has {found.size} bytes, {item.size_bytes} were declared; upload it again."
            )
        return found

    def _extract(self, item: ClaimedItem, path: Path, options: ItemOptions, begin: Callable[[], None]) -> Extraction:
        source = Source(path=path, filename=item.filename, content_type=item.content_type, size=item.size_bytes)
        wanted = ExtractOptions(
            engine=options.engine, extract_text=options.extract_text, extract_images=options.extract_images
        )
        return self._extractor.extract(source, wanted, on_begin=begin)

    def _keep(self, item: ClaimedItem, options: ItemOptions, sha256: str, extraction: Extraction) -> Succeeded:
        result_id = keys.result_id(
            item.customer_id,
            sha256,
            extraction.engine,
            extraction.engine_version,
            {"extract_text": options.extract_text, "extract_images": options.extract_images},
        )
        self._write(item, result_id, "document.json", extraction.document.to_json().encode())
        chunks = render_chunks(
            extraction.document,
            images=extraction.images,
            result_id=result_id,
            engine=f"{extraction.engine} {extraction.engine_version}",
            extract_text=options.extract_text,
            extract_images=options.extract_images,
        )
        for figure in extraction.document.figures:
            key = keys.result_image_key(item.customer_id, result_id, figure.image_index)
            self._objects.write(key, extraction.images[figure.image_index], figure.mime)
        body = json.dumps(chunks, ensure_ascii=False, separators=(",", ":")).encode()
        self._write(item, result_id, "extract-page.json", body)
        return Succeeded(
            page_count=extraction.document.page_count,
            result_id=result_id,
            sha256=sha256,
            engine=f"{extraction.engine} {extraction.engine_version}",
            seconds=extraction.seconds,
        )

    def _write(self, item: ClaimedItem, result_id: ResultId, part: keys.ResultPart, data: bytes) -> None:
        self._objects.write(keys.result_key(item.customer_id, result_id, part), data, "application/json")


class _Once:
    """Calls what it was given the first time only."""

    def __init__(self, act: Callable[[], None]) -> None:
        self._act = act
        self._done = False

    def __call__(self) -> None:
        if not self._done:
            self._done = True
            self._act()
