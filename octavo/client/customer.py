"""A customer's client for `/v1`: stage, upload, submit, follow, fetch. Blocking and thread-safe.

It speaks only the public contract, so it works with any server that does.
"""

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
from tenacity import RetryCallState, Retrying, retry_if_exception_type, stop_after_attempt, stop_after_delay

from octavo.authorities import authorities
from octavo.backoff import exponential
from octavo.client.inputs import exactly, opened, size_of
from octavo.client.names import wire_name
from octavo.errors import OctavoError, ServiceUnreachable

ATTEMPTS = 5
FIRST_PAUSE_SECONDS = 0.5
LONGEST_PAUSE_SECONDS = 8.0
POLL_SECONDS = 0.5
"""Shortest time between the starts of two polls."""
WAIT_SECONDS = 30
"""How long one poll waits for something to change."""
PATIENCE_SECONDS = 900.0
"""How long to wait for a restarting service once a batch is submitted, as the batch continues by itself."""
KNOWN_PATIENCE_SECONDS = 120.0
"""How long to wait for a service that has answered before; one that never answered is given up sooner."""
PAGE_ITEMS = 500
LONGEST_FILENAME = 512
OnTrouble = Callable[[str], None]
"""Is told of an answer that was none, before each further attempt, from any thread."""
NO_SUCH_ROUTE = (404, 405)
WORTH_REPEATING = frozenset({429, 500, 502, 503, 504})


class Refused(OctavoError):
    """The service answered with an error; its `status` and `body` are in the facts."""

    code = "refused"

    @property
    def told_code(self) -> str:
        """The code that the service gave, such as `result_expired`."""
        body = self.facts.get("body")
        return str(body.get("error") or self.code) if isinstance(body, dict) else self.code


@dataclass(frozen=True, slots=True)
class NewUpload:
    """A file as it is announced to the service."""

    filename: str
    size_bytes: int
    content_type: str | None = None

    def body(self) -> dict[str, Any]:
        """Return what stages it."""
        return {
            "filename": self.filename[-LONGEST_FILENAME:],
            "size_bytes": self.size_bytes,
            "content_type": self.content_type,
        }


@dataclass(frozen=True, slots=True)
class Staged:
    """A file that the service expects, and where to upload its bytes."""

    file_id: str
    upload_url: str
    size_bytes: int


class CustomerClient:
    """One customer's view of one service."""

    def __init__(
        self,
        url: str,
        key: str,
        *,
        transport: httpx.BaseTransport | None = None,
        on_trouble: OnTrouble = lambda _: None,
    ) -> None:
        limits = httpx.Limits(max_connections=32, max_keepalive_connections=32)
        timeout = httpx.Timeout(120.0, connect=10.0)
        self._api = httpx.Client(
            base_url=url.rstrip("/"),
            headers={"X-API-KEY": key.strip()},
            timeout=timeout,
            limits=limits,
            transport=transport,
            trust_env=False,
            verify=authorities(),
        )
        # Storage does not get the API key: the presigned URL is enough.
        self._storage = httpx.Client(
            timeout=timeout, limits=limits, transport=transport, trust_env=False, verify=authorities()
        )
        self._on_trouble = on_trouble
        self._is_known = self._is_storage_known = self._has_no_bulk = False

    def __enter__(self) -> "CustomerClient":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the connections."""
        self._api.close()
        self._storage.close()

    def stage(self, path: Path, *, filename: str | None = None, content_type: str | None = None) -> Staged:
        """Stage one file. Raises Refused, ServiceUnreachable, UnreadableFile."""
        new = NewUpload(filename or wire_name(path.name), size_of(path), content_type)
        answer = self._json("POST", "/v1/files", json=new.body())
        return Staged(answer["id"], answer["upload"]["url"], new.size_bytes)

    def stage_many(self, files: Sequence[NewUpload]) -> list[Staged] | None:
        """Stage up to 10,000 files in one call; return None if the service has no such call.

        Bulk staging is an extension of Octavo's. Raises Refused, ServiceUnreachable.
        """
        if self._has_no_bulk:
            return None
        try:
            answer = self._json("POST", "/v1/files/bulk", json={"files": [new.body() for new in files]})
        except Refused as refusal:
            if refusal.facts["status"] not in NO_SUCH_ROUTE:
                raise
            self._has_no_bulk = True
            return None
        rows = zip(answer["data"], files, strict=True)
        return [Staged(row["id"], row["upload"]["url"], new.size_bytes) for row, new in rows]

    def upload(self, staged: Staged, path: Path) -> None:
        """Upload a file's bytes to the address that staging returned.

        Raises Refused, ServiceUnreachable, UnreadableFile.
        """

        def put() -> httpx.Response:
            with opened(path) as stream:
                headers = {"Content-Length": str(staged.size_bytes)}
                return self._storage.put(staged.upload_url, content=exactly(stream, staged.size_bytes), headers=headers)

        patience_seconds = KNOWN_PATIENCE_SECONDS if self._is_storage_known else 0.0
        _patiently(put, what="storage", patience_seconds=patience_seconds, on_trouble=self._on_trouble)
        self._is_storage_known = True

    def submit(self, file_ids: list[str], *, engine: str | None, idempotency_key: str) -> dict[str, Any]:
        """Submit staged files as a batch and return it. Raises Refused, ServiceUnreachable."""
        return self._json(
            "POST",
            "/v1/batches",
            json={"source": {"type": "files", "file_ids": file_ids}, "engine": engine},
            headers={"Idempotency-Key": idempotency_key},
        )

    def batch(self, batch_id: str, *, cursor: str | None = None, wait_seconds: int = 0) -> dict[str, Any]:
        """Return a batch and the items that changed after the cursor.

        Octavo waits up to 60 s for something to change; other servers do not support this and answer at once.
        """
        params: dict[str, str | int] = {"limit": PAGE_ITEMS} | ({"cursor": cursor} if cursor else {})
        if wait_seconds:
            params["wait"] = wait_seconds
        return self._json("GET", f"/v1/batches/{batch_id}", patience_seconds=PATIENCE_SECONDS, params=params)

    def follow(self, batch_id: str) -> Iterator[dict[str, Any]]:
        """Yield the batch with its changed items until it has ended and every item was seen."""
        cursor: str | None = None
        while True:
            asked = time.monotonic()
            found = self.batch(batch_id, cursor=cursor, wait_seconds=WAIT_SECONDS)
            yield found
            if found["next_cursor"] is None:
                return
            cursor = found["next_cursor"]
            if len(found["items"]) < PAGE_ITEMS:
                # So that many small changes arrive in few answers.
                time.sleep(max(0.0, POLL_SECONDS - (time.monotonic() - asked)))

    def items(self, batch_id: str) -> Iterator[dict[str, Any]]:
        """Yield every item of a batch as it is now, in no order; one that changes meanwhile may come twice."""
        cursor: str | None = None
        while True:
            found = self.batch(batch_id, cursor=cursor)
            yield from found["items"]
            cursor = found["next_cursor"]
            if cursor is None or len(found["items"]) < PAGE_ITEMS:
                return

    def result(self, batch_id: str, item_id: str) -> bytes:
        """Return the bytes of an item's result. Raises Refused, ServiceUnreachable."""
        path = f"/v1/batches/{batch_id}/items/{item_id}/result"

        def get() -> httpx.Response:
            redirect = self._api.get(path)
            return self._storage.get(redirect.headers["Location"]) if redirect.status_code == 302 else redirect

        return _patiently(
            get, what=str(self._api.base_url), patience_seconds=PATIENCE_SECONDS, on_trouble=self._on_trouble
        ).content

    def filename(self, file_id: str) -> str | None:
        """Return the name under which a file was staged; None if it had none or is gone."""
        try:
            return str(self._json("GET", f"/v1/files/{file_id}")["filename"] or "") or None
        except Refused:
            return None

    def _json(self, method: str, path: str, *, patience_seconds: float = 0.0, **arguments: Any) -> dict[str, Any]:
        answer = _patiently(
            lambda: self._api.request(method, path, **arguments),
            what=str(self._api.base_url),
            # One that never answered is given up soon: the address may be wrong.
            patience_seconds=max(patience_seconds, KNOWN_PATIENCE_SECONDS) if self._is_known else 0.0,
            on_trouble=self._on_trouble,
        )
        try:
            found = answer.json()
        except ValueError:
            found = None
        if not isinstance(found, dict) or "object" not in found:
            raise ServiceUnreachable(f"The server at {self._api.base_url} is not Octavo: is the address right?")
        self._is_known = True
        return found


class _Trouble(Exception):
    """No good answer, but one may come; `told_seconds` is how long the server asks to be left alone."""

    def __init__(self, what: str, told_seconds: float = 0.0) -> None:
        super().__init__(what)
        self.told_seconds = told_seconds


def _patiently(
    ask: Callable[[], httpx.Response], *, what: str, patience_seconds: float, on_trouble: OnTrouble
) -> httpx.Response:
    """Retry after errors that may be temporary; every request here can safely be repeated.

    At least five times, and for `patience_seconds`.
    """

    def tell(state: RetryCallState) -> None:
        trouble = state.outcome.exception() if state.outcome is not None else None
        on_trouble(f"no good answer from {what} ({trouble}); trying again")

    patiently = Retrying(
        retry=retry_if_exception_type(_Trouble),
        stop=stop_after_attempt(ATTEMPTS) & stop_after_delay(patience_seconds),
        wait=_pause,
        before_sleep=tell,
        reraise=True,
    )
    try:
        return patiently(_answer, ask)
    except _Trouble as error:
        attempts = patiently.statistics["attempt_number"]
        raise ServiceUnreachable(f"No good answer from {what} after {attempts} attempts: {error}") from error


def _pause(state: RetryCallState) -> float:
    """Return the pause after an attempt: at least what the server has asked for."""
    trouble = state.outcome.exception() if state.outcome is not None else None
    told_seconds = trouble.told_seconds if isinstance(trouble, _Trouble) else 0.0
    return max(told_seconds, exponential(FIRST_PAUSE_SECONDS, LONGEST_PAUSE_SECONDS)(state))


def _answer(ask: Callable[[], httpx.Response]) -> httpx.Response:
    try:
        answer = ask()
    except httpx.TransportError as error:
        raise _Trouble(f"{type(error).__name__}: {error}") from error
    if answer.status_code < 300:
        return answer
    if answer.status_code not in WORTH_REPEATING:
        raise _refused(answer)
    raise _Trouble(f"HTTP {answer.status_code}", _retry_after(answer.headers))


def _retry_after(headers: Mapping[str, str]) -> float:
    given = headers.get("Retry-After", "")
    return float(given) if given.isdigit() else 0.0


def _refused(answer: httpx.Response) -> Refused:
    try:
        body = answer.json()
        message = body.get("message") or str(body.get("detail") or body)
    except ValueError:
        body, message = {}, answer.text[:300]
    return Refused(f"HTTP {answer.status_code}: {message}", status=answer.status_code, body=body)
