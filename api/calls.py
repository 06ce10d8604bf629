"""Sync calls: who waits for a document, and which worker reads it. In memory, because it is about now.

A call is no batch: it has no row and no object, and dies with the request that waits for it, or with this process. The
ledger hears of it once, when it is billed: just before the answer, so that nobody pays for what never came.
"""

import asyncio
import contextlib
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

from api.presence import Presence
from api.threads import in_thread
from octavo.client.call_protocol import CallEnd, CallPages, ClaimedCall
from octavo.errors import (
    DOCUMENT_ERRORS,
    ExtractionTimeout,
    FetchFailed,
    InternalError,
    OctavoError,
    QuotaExceeded,
    RateLimited,
    StaleLease,
    UrlNotAllowed,
)
from octavo.identifiers import CallId, CustomerId, WorkerId, new_call_id
from octavo.ledger.contract import Ledger

MOST_ATTEMPTS = 5
LOOK_SECONDS = 1.0
RETRY_AFTER_SECONDS = 5
ERRORS: dict[str, type[OctavoError]] = {
    **DOCUMENT_ERRORS,
    UrlNotAllowed.code: UrlNotAllowed,
    FetchFailed.code: FetchFailed,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """A document that somebody waits for."""

    customer_id: CustomerId
    engine: str
    extract_text: bool
    extract_images: bool
    has_quota: bool
    url: str | None = None
    path: Path | None = None
    """Its bytes, where they were sent along."""
    filename: str | None = None
    content_type: str | None = None


@dataclass(eq=False, slots=True)
class _Call:
    call_id: CallId
    asked: Asked
    answer: "asyncio.Future[str]"
    attempt: int = 0
    worker_id: WorkerId | None = None
    pages: int = 0
    """Set aside for it."""
    let_go: asyncio.Event = field(default_factory=asyncio.Event)
    """Set once whoever reads it need not go on; another one for each attempt."""
    is_billing: bool = False
    """Whether its usage row is being written: until that has come out, nobody else may end it."""


@dataclass(eq=False)
class Calls:
    """The calls of this process; lives on its event loop, so that nothing of it is locked."""

    ledger: Ledger
    presence: Presence
    seconds: float
    """Longest time for one call, waiting included."""
    most: int = 100
    """Calls at once, those in work among them."""
    most_of_customer: int = 8
    _calls: dict[CallId, _Call] = field(default_factory=dict)
    _waiting: list[_Call] = field(default_factory=list)
    _news: asyncio.Event = field(default_factory=asyncio.Event)
    _turn: int = 0
    _last: dict[CustomerId, int] = field(default_factory=dict)
    _is_closed: bool = False

    def close(self) -> None:
        """Let workers that wait go home: this process ends."""
        self._is_closed = True
        self._news.set()
        for call in self._calls.values():
            call.let_go.set()

    def require_room(self, customer_id: CustomerId) -> None:
        """Raise RateLimited while a customer, or all together, have as many calls as may be at once."""
        own = sum(call.asked.customer_id == customer_id for call in self._calls.values())
        if own >= self.most_of_customer:
            what = f"You have as many documents waiting or in work as you may at once ({own})"
        elif len(self._calls) >= self.most:
            what = "As many documents as may be at once are waiting or in work"
        else:
            return
        raise RateLimited(
            f"{what}; try again shortly, or submit them as a batch.",
            retry_after_seconds=RETRY_AFTER_SECONDS,
        )

    async def extract(self, asked: Asked) -> str:
        """Return the result, JSON, once a worker has read the document and it was billed.

        Raises RateLimited, ExtractionTimeout, QuotaExceeded, UrlNotAllowed, FetchFailed, DocumentError.
        """
        self.require_room(asked.customer_id)
        call = _Call(new_call_id(), asked, asyncio.get_running_loop().create_future())
        self._calls[call.call_id] = call
        self._queue(call)
        try:
            async with asyncio.timeout(self.seconds):
                return await self._answer(call)
        except TimeoutError:
            # A bill that is being written is waited for: who is told 504 pays nothing.
            while call.is_billing:
                await asyncio.wait({call.answer}, timeout=LOOK_SECONDS)
            if call.answer.done():
                return call.answer.result()
            raise ExtractionTimeout(
                f"The document was not read within {self.seconds:.0f} s; submit it as a batch, which has no such limit."
            ) from None
        finally:
            self._calls.pop(call.call_id, None)
            call.let_go.set()
            with contextlib.suppress(ValueError):
                self._waiting.remove(call)
            self._last = self._last if self._calls else {}

    async def _answer(self, call: _Call) -> str:
        """Wait, and let another worker take over from one that is gone."""
        while True:
            done, _ = await asyncio.wait({call.answer}, timeout=LOOK_SECONDS)
            if done:
                return call.answer.result()
            if call.worker_id is not None and not call.is_billing and self.presence.is_silent(call.worker_id):
                if call.attempt >= MOST_ATTEMPTS:
                    raise InternalError("The workers that read this document were lost again and again.")
                self._queue(call)

    def _queue(self, call: _Call) -> None:
        call.let_go.set()
        call.worker_id = None
        call.pages = 0
        self._waiting.append(call)
        self._news.set()

    async def claim(self, worker_id: WorkerId, wait_seconds: float) -> ClaimedCall | None:
        """Give a worker the next call, waiting for one; customers come in turn."""
        until = asyncio.get_running_loop().time() + wait_seconds
        while True:
            self.presence.hear(worker_id)
            if self._waiting:
                return self._given(worker_id)
            left = until - asyncio.get_running_loop().time()
            if left <= 0 or self._is_closed:
                return None
            self._news.clear()
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(min(left, LOOK_SECONDS)):
                    await self._news.wait()

    def _given(self, worker_id: WorkerId) -> ClaimedCall:
        in_work = Counter(call.asked.customer_id for call in self._calls.values() if call.worker_id is not None)

        def rank(call: _Call) -> tuple[int, int]:
            customer_id = call.asked.customer_id
            return in_work[customer_id], self._last.get(customer_id, 0)

        call = min(self._waiting, key=rank)
        self._waiting.remove(call)
        self._turn += 1
        self._last[call.asked.customer_id] = self._turn
        call.worker_id, call.attempt, call.let_go = worker_id, call.attempt + 1, asyncio.Event()
        asked = call.asked
        return ClaimedCall(
            call_id=call.call_id,
            attempt=call.attempt,
            engine=asked.engine,
            extract_text=asked.extract_text,
            extract_images=asked.extract_images,
            url=asked.url,
            filename=asked.filename,
            content_type=asked.content_type,
            reserves_pages=asked.has_quota,
        )

    async def watch(self, call_id: CallId, attempt: int, wait_seconds: float) -> bool:
        """Return whether somebody still waits for a call after so many seconds; False as soon as nobody does."""
        call = self._calls.get(call_id)
        if call is None or call.attempt != attempt or call.worker_id is None:
            return False
        if not self._is_closed:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(wait_seconds):
                    await call.let_go.wait()
        return self._calls.get(call_id) is call and call.attempt == attempt and call.worker_id is not None

    def document(self, call_id: CallId, attempt: int) -> Path:
        """Return where the bytes of a call are that a worker has claimed. Raises StaleLease."""
        path = self._current(call_id, attempt).asked.path
        if path is None:
            raise StaleLease("this call came without bytes")
        return path

    async def reserve(self, said: CallPages) -> bool:
        """Set a call's pages aside; False when that would go over its customer's quota. Raises StaleLease."""
        call = self._current(said.call_id, said.attempt)
        account = await in_thread(lambda: self.ledger.billing.page_account(call.asked.customer_id))
        if account.limit is None:
            return True
        others = sum(
            one.pages
            for one in self._calls.values()
            if one is not call and one.asked.customer_id == call.asked.customer_id
        )
        if account.used + account.reserved + others + said.pages > account.limit:
            return False
        call.pages = said.pages
        return True

    async def end(self, said: CallEnd) -> bool:
        """Take a worker's word about a call, and bill it. Raises StaleLease when nobody waits for it any more."""
        call = self._current(said.call_id, said.attempt)
        if said.result is None:
            self._fail(call, said)
            return True
        owner = call.asked.customer_id
        call.is_billing = True
        try:
            is_paid = await in_thread(lambda: self.ledger.billing.bill_call(owner, call.call_id, said.pages))
        finally:
            call.is_billing = False
        if call.answer.done():
            return True
        if is_paid:
            call.answer.set_result(said.result)
        else:
            call.answer.set_exception(_over_quota(said.message))
        return True

    def _fail(self, call: _Call, said: CallEnd) -> None:
        if call.answer.done():
            return
        if said.code == "payment_required":
            call.answer.set_exception(_over_quota(said.message))
        else:
            call.answer.set_exception(ERRORS.get(said.code or "", InternalError)(said.message))

    def _current(self, call_id: CallId, attempt: int) -> _Call:
        call = self._calls.get(call_id)
        if call is None or call.attempt != attempt or call.worker_id is None or call.is_billing or call.answer.done():
            raise StaleLease("nobody waits for this call any more, or another worker has it")
        return call


def _over_quota(message: str) -> QuotaExceeded:
    return QuotaExceeded(message or "The page quota does not suffice for this document; have it raised.")
