"""Finished pages of a document: gathered, offered to whoever keeps them, taken up again from an earlier reading.

A piece is a pickle, because a draft has to come back exactly as it was. It is made and read in sandboxed children
alone, and reading it makes nothing but drafts: any other class in it is refused.
"""

import hashlib
import io
import pickle
import zlib
from collections.abc import Iterator, Sequence
from dataclasses import fields
from typing import Any

from octavo.documents import Box, Cell, Page
from octavo.engines.contract import PageKeeper, Progress
from octavo.engines.pages.draft import FigureDraft, PageDraft, TableDraft
from octavo.engines.pages.text.lines import Row, TextLine
from octavo.engines.pages.text.paragraphs import Paragraph

_KINDS = {
    (kind.__module__, kind.__qualname__): kind
    for kind in (PageDraft, TableDraft, FigureDraft, Paragraph, Row, TextLine, Page, Cell, Box)
}
_SHAPE = hashlib.sha256(
    repr([(name, [field.name for field in fields(kind)]) for name, kind in _KINDS.items()]).encode()
).digest()
"""Begins every piece: drafts of another shape are not taken up."""
_MAX_PLAIN_BYTES = 512 * 1024**2


class FinishedPages:
    """The pages of one document that are finished, those of earlier readings among them."""

    def __init__(self, progress: Progress, count: int) -> None:
        self._keeper = progress if isinstance(progress, PageKeeper) else None
        self._count = count
        self._pages: dict[int, PageDraft] = {}
        self._fresh: list[PageDraft] = []
        if self._keeper is not None:
            for piece in self._keeper.kept():
                self._pages |= {draft.page.page_no: draft for draft in unpack(piece) if draft.page.page_no <= count}
            self._keeper.finished(len(self._pages))

    def missing(self) -> list[int]:
        """Return the numbers of the pages that are still to be read."""
        return [page_no for page_no in range(1, self._count + 1) if page_no not in self._pages]

    def pages(self) -> list[PageDraft]:
        """Return all pages in order."""
        return [self._pages[page_no] for page_no in sorted(self._pages)]

    def figures(self) -> Iterator[FigureDraft]:
        """Yield the figures of the pages that are finished."""
        for draft in self._pages.values():
            yield from (content for content in draft.contents if isinstance(content, FigureDraft))

    def add(self, drafts: Sequence[PageDraft]) -> None:
        """Take pages that were just read, and offer them; one that failed is not worth keeping."""
        self._pages |= {draft.page.page_no: draft for draft in drafts}
        if self._keeper is not None and drafts:
            self._fresh += [draft for draft in drafts if draft.page.status == "ok"]
            self._keeper.finished(len(self._pages))
            self._keeper.keep(self._pack_fresh)

    def keep_rest(self) -> None:
        """Keep what is finished and was not kept yet: other pages have failed and may be read again."""
        if self._keeper is not None:
            self._keeper.keep(self._pack_fresh, is_last=True)

    def _pack_fresh(self) -> bytes | None:
        fresh, self._fresh = self._fresh, []
        return pack(fresh) if fresh else None


def pack(drafts: Sequence[PageDraft]) -> bytes:
    """Return pages as a piece that `unpack` takes."""
    return _SHAPE + zlib.compress(pickle.dumps(list(drafts), protocol=5), level=1)


def unpack(piece: bytes) -> list[PageDraft]:
    """Return the pages of a piece; none if it is not a whole one, or of another version."""
    if not piece.startswith(_SHAPE):
        return []
    inflate = zlib.decompressobj()
    try:
        plain = inflate.decompress(piece[len(_SHAPE) :], _MAX_PLAIN_BYTES)
        drafts = _Drafts(io.BytesIO(plain)).load() if inflate.eof else []
    except (zlib.error, pickle.UnpicklingError, EOFError, ValueError, TypeError, AttributeError, IndexError, KeyError):
        return []
    are_drafts = isinstance(drafts, list) and all(isinstance(draft, PageDraft) for draft in drafts)
    return drafts if are_drafts else []


class _Drafts(pickle.Unpickler):
    """Makes drafts and nothing else."""

    def find_class(self, module: str, name: str) -> Any:  # noqa: ANN401 - as the class above has it
        kind = _KINDS.get((module, name))
        if kind is None:
            raise pickle.UnpicklingError(f"{module}.{name} is no part of a page")
        return kind
