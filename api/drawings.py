"""Pages that somebody wants to see: who waits for which, and which worker draws it. In memory, because it is about now.

A drawing is named by the key of its image: whoever asks for one that is on its way waits with the others, and one
whose askers have all gone is drawn to its end all the same, for it takes seconds and the next asker finds it.
"""

import asyncio
import contextlib
from collections import Counter
from dataclasses import dataclass, field

from api.presence import Presence
from api.threads import in_thread
from octavo.client.drawing_protocol import AskedPage, DrawingEnd
from octavo.errors import (
    DrawingTimeout,
    InternalError,
    NoPageImages,
    OctavoError,
    PageNotDrawn,
    RateLimited,
    ResultExpired,
    StorageUnavailable,
    UnknownFiles,
)
from octavo.expiry.expiring import Expiry
from octavo.identifiers import FileId, WorkerId
from octavo.ledger.contract import Ledger
from octavo.objects import keys

LOOK_SECONDS = 1.0
RETRY_AFTER_SECONDS = 2
LAPSE = 2.0
"""A drawing is given up for lost after so many times the seconds it may take: its file is fetched besides."""
ERRORS: dict[str, type[OctavoError]] = {
    error.code: error for error in (NoPageImages, PageNotDrawn, ResultExpired, UnknownFiles, StorageUnavailable)
}


@dataclass(eq=False, slots=True)
class _Drawing:
    page: AskedPage
    file_id: FileId
    ended: "asyncio.Future[OctavoError | None]"
    """What it came to: an error, or none once the image is in storage."""
    waiting: int = 0
    """How many wait for it."""
    worker_id: WorkerId | None = None


@dataclass(eq=False)
class Drawings:
    """The drawings of this process; lives on its event loop, so that nothing of it is locked."""

    ledger: Ledger
    presence: Presence
    expiry: Expiry
    seconds: float
    """Longest time for who waits for one, and for its drawing."""
    most: int = 100
    """Drawings at once, those in work among them."""
    most_of_customer: int = 16
    _drawings: dict[str, _Drawing] = field(default_factory=dict)
    """By the keys of their images, the oldest first."""
    _news: asyncio.Event = field(default_factory=asyncio.Event)
    _is_closed: bool = False

    def close(self) -> None:
        """Let workers that wait go home: this process ends."""
        self._is_closed = True
        self._news.set()

    async def draw(self, page: AskedPage, file_id: FileId) -> str:
        """Return the key of a page's image once it is in storage, drawn once for all who ask at the same time.

        Raises RateLimited, DrawingTimeout, and what the drawing came to: NoPageImages, PageNotDrawn, UnknownFiles,
        ResultExpired, StorageUnavailable, InternalError.
        """
        drawing = self._drawings.get(page.key) or self._begin(page, file_id)
        drawing.waiting += 1
        try:
            async with asyncio.timeout(self.seconds):
                error = await self._ended(drawing)
        except TimeoutError:
            raise DrawingTimeout(f"The page was not drawn within {self.seconds:g} s; ask again shortly.") from None
        finally:
            drawing.waiting -= 1
            if not drawing.waiting and drawing.worker_id is None:
                self._forget(drawing)
        if error is not None:
            raise error
        return page.key

    def _begin(self, page: AskedPage, file_id: FileId) -> _Drawing:
        own = sum(drawing.page.customer_id == page.customer_id for drawing in self._drawings.values())
        if own >= self.most_of_customer or len(self._drawings) >= self.most:
            raise RateLimited(
                "As many pages as may be at once are waiting to be drawn or in work; ask again shortly.",
                retry_after_seconds=RETRY_AFTER_SECONDS,
            )
        drawing = _Drawing(page, file_id, asyncio.get_running_loop().create_future())
        self._drawings[page.key] = drawing
        self._news.set()
        return drawing

    async def _ended(self, drawing: _Drawing) -> OctavoError | None:
        """Wait, and let another worker take over from one that is gone."""
        while True:
            done, _ = await asyncio.wait({drawing.ended}, timeout=LOOK_SECONDS)
            if done:
                return drawing.ended.result()
            if drawing.worker_id is not None and self.presence.is_silent(drawing.worker_id):
                self._lose(drawing, drawing.worker_id)

    async def claim(self, worker_id: WorkerId, wait_seconds: float) -> AskedPage | None:
        """Give a worker the next page to draw, waiting for one; customers with fewer pages in work come first."""
        until = asyncio.get_running_loop().time() + wait_seconds
        while True:
            self.presence.hear(worker_id)
            if (drawing := self._next()) is not None:
                return self._given(drawing, worker_id)
            left = until - asyncio.get_running_loop().time()
            if left <= 0 or self._is_closed:
                return None
            self._news.clear()
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(min(left, LOOK_SECONDS)):
                    await self._news.wait()

    def _next(self) -> _Drawing | None:
        drawings = self._drawings.values()
        in_work = Counter(drawing.page.customer_id for drawing in drawings if drawing.worker_id is not None)
        waiting = [drawing for drawing in drawings if drawing.worker_id is None]
        return min(waiting, key=lambda drawing: in_work[drawing.page.customer_id], default=None)

    def _given(self, drawing: _Drawing, worker_id: WorkerId) -> AskedPage:
        drawing.worker_id = worker_id
        asyncio.get_running_loop().call_later(LAPSE * self.seconds, self._lose, drawing, worker_id)
        return drawing.page

    def _lose(self, drawing: _Drawing, worker_id: WorkerId) -> None:
        """Have a drawing done by another worker, if somebody still waits for it."""
        if self._drawings.get(drawing.page.key) is not drawing or drawing.worker_id != worker_id:
            return
        drawing.worker_id = None
        if drawing.waiting:
            self._news.set()
        else:
            self._forget(drawing)

    def _forget(self, drawing: _Drawing) -> None:
        if self._drawings.get(drawing.page.key) is drawing:
            del self._drawings[drawing.page.key]

    async def end(self, said: DrawingEnd) -> bool:
        """Take a worker's word about a page; False when nobody knows of it any more. Raises StorageUnavailable."""
        is_there = said.code is not None or await in_thread(lambda: self._is_kept(said.key))
        drawing = self._drawings.pop(said.key, None)
        if drawing is None:
            return False
        drawing.ended.set_result(_error(drawing, said) if is_there else ResultExpired("The result is gone meanwhile."))
        return True

    def _is_kept(self, key: str) -> bool:
        """Tell whether an image's result is there; one that was drawn while its result went must go with it."""
        customer_id, result_id = keys.result_of(key)
        if result_id in self.ledger.lifetimes.live_results([result_id]):
            return True
        self.expiry.take_results({result_id: customer_id})
        return False


def _error(drawing: _Drawing, said: DrawingEnd) -> OctavoError | None:
    if said.code is None:
        return None
    if said.code == UnknownFiles.code:
        return UnknownFiles(said.message, file_ids=[drawing.file_id])
    return ERRORS.get(said.code, InternalError)(said.message)
