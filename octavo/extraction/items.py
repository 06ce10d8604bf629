"""One item from its bytes in storage to its result in storage: what a worker does between claim and outcome.

Everything the document itself can be blamed for becomes a value (`Failed`); storage that is down,
a child that somebody killed and the like are raised, for they say nothing of the document.
"""

import tempfile
from pathlib import Path

from octavo.batches import ClaimedItem
from octavo.engines.contract import Source
from octavo.engines.sandbox.failures import ChildLost, SandboxUnavailable
from octavo.errors import DocumentError, OcrProviderError, StorageUnavailable
from octavo.extraction.extraction import Extraction
from octavo.extraction.extractor import Extractor
from octavo.extraction.inputs import Input, Inputs
from octavo.extraction.item_options import ItemOptions
from octavo.extraction.item_results import ItemResults
from octavo.extraction.kept_pages import KeptPages
from octavo.extraction.reading_progress import ReadingProgress
from octavo.identifiers import ResultId
from octavo.objects import keys
from octavo.objects.contract import ObjectStore
from octavo.outcomes import Outcome, failure
from octavo.results.stored_results import StoredResult

PROBE_BYTES = 1024 * 1024
KEEP_SECONDS = 20.0


class ItemWork:
    """Works on items, any number at once; `Extractor` sees to it how many are parsed at once."""

    def __init__(
        self,
        objects: ObjectStore,
        extractor: Extractor,
        *,
        folder: Path | None,
        keep_seconds: float = KEEP_SECONDS,
        reuse: bool = True,
    ) -> None:
        """Finished pages are kept every `keep_seconds` of a reading: what takes less than that writes none.

        With `reuse` a result that is in storage already is taken in place of reading the same again.
        """
        self._objects = objects
        self._extractor = extractor
        self._inputs = Inputs(objects, Path(tempfile.gettempdir()) if folder is None else folder)
        self._results = ItemResults(objects)
        self._keep_seconds = keep_seconds
        self._reuse = reuse

    def waits_for_child(self, options: ItemOptions) -> bool:
        """Whether an item may have to wait before its reading begins."""
        return self._extractor.waits_for_child(options.parse.engine)

    def fetch(self, item: ClaimedItem) -> Input:
        """Bring an item's bytes here; they may be fetched while another item is worked on.

        Raises StorageUnavailable.
        """
        return self._inputs.fetch(item)

    def is_storage_there(self) -> bool:
        """Whether storage takes bytes, and the disk for documents in progress has room."""
        try:
            # Storage that is full answers all questions and takes nothing.
            self._objects.write(keys.ROOM_PROBE, bytes(PROBE_BYTES), "application/octet-stream")
            self._objects.delete([keys.ROOM_PROBE])
        except StorageUnavailable:
            return False
        return not self._inputs.is_disk_full()

    def do(
        self,
        item: ClaimedItem,
        found: Input,
        options: ItemOptions,
        progress: ReadingProgress,
        *,
        in_fresh_child: bool = False,
    ) -> Outcome:
        """Return how the item ended; its result is in storage when it succeeded.

        `progress` follows the work, also where the result was there already and nothing is read; what it raises ends
        the work. Finished pages are kept: a reading that is interrupted is continued by the next one, wherever that
        is. `in_fresh_child` has it read in a child of its own, that has read nothing before.

        Raises OcrProviderError (worth another attempt), StorageUnavailable, ChildLost.
        """
        try:
            sha256 = found.require_sha256()
            options = options.of_item(item)
            result_id = self._result_id(item, options, sha256)
            kept_pages = KeptPages(self._objects, item.customer_id, result_id, may_be_some=progress.is_again)
            stored = self._find(item, options, result_id)
            if (reused := self._reused(item, options, sha256, result_id, stored, progress)) is not None:
                kept_pages.drop()
                return reused
            progress.keep_pages(kept_pages, self._keep_seconds)
            extraction = self._extract(item, found.path, options, progress, in_fresh_child=in_fresh_child)
            progress.counted(extraction.document.page_count)
        except (DocumentError, ChildLost, SandboxUnavailable, OSError) as error:
            self._inputs.refuse_full_disk(error)
            if isinstance(error, OcrProviderError) or not isinstance(error, DocumentError):
                raise
            progress.begin()
            # Pages that were kept stay: where the item is run again, only the others are read.
            return failure(error, sha256=found.sha256)
        if item.result_id is not None:
            progress.check_before_replacing()
        outcome = self._results.write(item, options, sha256, extraction, replaces=stored is not None)
        # Beside a result with failed pages the others stay: where the item is run again, only the failed ones are read.
        if outcome.failed_pages == 0 or outcome.result_id != kept_pages.result_id:
            kept_pages.drop()
        return outcome

    def _result_id(self, item: ClaimedItem, options: ItemOptions, sha256: str) -> ResultId:
        chosen = options.parse.chosen(*self._extractor.engine_version(options.parse.engine))
        return keys.result_id(item.customer_id, sha256, chosen)

    def _find(self, item: ClaimedItem, options: ItemOptions, result_id: ResultId) -> StoredResult | None:
        if not self._reuse or not self._extractor.is_repeatable(options.parse.engine):
            return None
        return self._results.find(item, options, result_id)

    def _reused(
        self,
        item: ClaimedItem,
        options: ItemOptions,
        sha256: str,
        result_id: ResultId,
        stored: StoredResult | None,
        progress: ReadingProgress,
    ) -> Outcome | None:
        """Return how the item ended with a result that is there already; None where it must be read."""
        if stored is None or not stored.serves:
            return None
        progress.begin()
        progress.counted(stored.page_count)
        engine = " ".join(self._extractor.engine_version(options.parse.engine))
        return self._results.reuse(item, options, result_id, stored, sha256=sha256, engine=engine)

    def _extract(
        self, item: ClaimedItem, path: Path, options: ItemOptions, progress: ReadingProgress, *, in_fresh_child: bool
    ) -> Extraction:
        source = Source(path=path, filename=item.filename, content_type=item.content_type, size=item.size_bytes)
        return self._extractor.extract(
            source, options.parse, progress, customer=item.customer_id, in_fresh_child=in_fresh_child
        )
