"""The workers' client: claims, reports, heartbeats. Blocking, thread-safe, patient.

A short outage of the API (a restart) must not lose an outcome: calls are repeated until
`patience_seconds` are over; a refusal is a `Refused` at once. A claim whose answer was lost leaves
a lease that nobody renews: it runs out by itself.
"""

import random
import time
from pathlib import Path
from typing import Any, TypeVar

import httpx
from pydantic import TypeAdapter, ValidationError

from octavo.client.call_protocol import CallClaim, CallClaims, CallEnd, CallPages, CallTaken, CallWatch, ClaimedCall
from octavo.client.customer import Refused
from octavo.client.delivery_protocol import (
    AttemptTaken,
    DeliveriesPruned,
    DeliveryClaim,
    DeliveryPruning,
    Outgoing,
)
from octavo.client.drawing_protocol import AskedPage, DrawingClaim, DrawingClaims, DrawingEnd, DrawingTaken
from octavo.client.worker_protocol import (
    Forgotten,
    Heartbeat,
    Hello,
    Lost,
    NamedRun,
    OpenedRun,
    OpenRun,
    Pruning,
    Reports,
    Reserved,
    Rings,
    RunSummary,
    Sweeping,
    Swept,
    Welcome,
)
from octavo.errors import InvalidAdminToken, ServiceUnreachable, StaleLease
from octavo.identifiers import RunId, WorkerId
from octavo.ledger.contract import Claim, ClaimRequest, ItemProgress, Pruned, Report, ReportResult, Reservation
from octavo.objects.contract import ObjectInfo
from octavo.webhooks.records import AttemptReport

T = TypeVar("T")
LONGEST_PAUSE_SECONDS = 2.0
SENDER_PATIENCE_SECONDS = 10.0
"""A run that sends webhooks need not outlast the API: when that is back it makes another."""


class WorkerClient:
    """Speaks to `/internal` of one API."""

    def __init__(
        self,
        api_url: str,
        token: str,
        worker_id: WorkerId,
        *,
        patience_seconds: float = 300.0,
        transport: httpx.BaseTransport | None = None,
    ) -> None:
        self.worker_id = worker_id
        self._protection: tuple[str, ...] = ()
        self._patience_seconds = patience_seconds
        self._http = httpx.Client(
            base_url=f"{api_url.rstrip('/')}/internal",
            headers={"Authorization": f"Bearer {token}"},
            timeout=httpx.Timeout(30.0, connect=5.0),
            limits=httpx.Limits(max_connections=100, max_keepalive_connections=50),
            trust_env=False,
            transport=transport,
        )

    def hello(self, *, slots: int = 0, protection: tuple[str, ...] = ()) -> Welcome:
        """Begin this worker's life; it may hold so many slices at once, and reads behind these walls.

        Raises ServiceUnreachable.
        """
        self._protection = protection
        said = Hello(worker_id=self.worker_id, slots=slots, protection=protection)
        return self._call("/workers/hello", said, Welcome)

    def drain(self) -> None:
        """Have the claims of this worker that wait answered now."""
        self._call("/workers/drain", Hello(worker_id=self.worker_id), Rings, patience_seconds=2.0)

    def goodbye(self) -> None:
        """End this worker's life in good order."""
        self._call("/workers/goodbye", Hello(worker_id=self.worker_id), Rings, patience_seconds=2.0)

    def wait_for_runs(self, heard_rings: int, seconds: float) -> int:
        """Wait until there are runs to fetch; returns the bell's count. Raises ServiceUnreachable at once."""
        path = f"/workers/wait?rings={heard_rings}&seconds={seconds}"
        body = Hello(worker_id=self.worker_id)
        return self._call(path, body, Rings, patience_seconds=0.0, read_seconds=seconds + 10).rings

    def heartbeat(
        self,
        slice_ids: tuple[str, ...],
        run_ids: tuple[RunId, ...],
        lease_seconds: float,
        *,
        slots: int | None = None,
        progress: tuple[ItemProgress, ...] = (),
    ) -> Lost:
        """Renew the leases; returns what was lost. Raises ServiceUnreachable at once."""
        beat = Heartbeat(
            worker_id=self.worker_id,
            slice_ids=slice_ids,
            run_ids=run_ids,
            lease_seconds=lease_seconds,
            slots=slots,
            progress=progress,
            protection=self._protection,
        )
        return self._call("/workers/heartbeat", beat, Lost, patience_seconds=0.0)

    def open_run(self, run: OpenRun) -> OpenedRun:
        """Say that a flow run begins here."""
        return self._call("/runs/open", run, OpenedRun)

    def end_run(self, run_id: RunId) -> None:
        """Say that a flow run has ended; what it still holds goes back."""
        self._call("/runs/end", NamedRun(run_id=run_id), Rings)

    def cancel_run(self, run_id: RunId) -> None:
        """Cancel the batch of a run that was cancelled in the Prefect UI."""
        self._call("/runs/cancel", NamedRun(run_id=run_id), Rings)

    def claim(self, request: ClaimRequest, *, wait_seconds: float) -> Claim:
        """Ask for slices, waiting up to `wait_seconds` for some. Raises StaleLease when the run is over."""
        path = f"/claims?wait={wait_seconds}"
        return self._call(path, request, Claim, read_seconds=wait_seconds + 15)

    def report(self, *reports: Report) -> list[ReportResult]:
        """Report on items; may be repeated, for the ledger takes each word once."""
        return self._call("/reports", Reports(worker_id=self.worker_id, reports=reports), list[ReportResult])

    def reserve(self, asked: Reservation) -> bool:
        """Set pages aside for an item before it is read; False over the quota. Raises StaleLease."""
        return self._call("/reservations", asked, Reserved).is_reserved

    def summary(self, run_id: RunId) -> RunSummary:
        """Return how the run's batch stands."""
        return self._call("/runs/summary", NamedRun(run_id=run_id), RunSummary)

    def prune(self, keep_runs_seconds: float) -> Pruned:
        """Have the ledger remove what has had its time; returns how much that was."""
        return self._call("/prune", Pruning(keep_runs_seconds=keep_runs_seconds), Pruned)

    def sweep(self, stored: tuple[ObjectInfo, ...]) -> Swept:
        """Have those of these objects deleted that nobody names."""
        return self._call("/sweep", Sweeping(stored=stored), Swept, read_seconds=120.0)

    def forget(self) -> Forgotten:
        """Have the ledger remove some old records; none is the end."""
        return self._call("/forget", None, Forgotten)

    def claim_deliveries(self, claim: DeliveryClaim, *, wait_seconds: float) -> list[Outgoing]:
        """Ask for webhooks' deliveries that are due, waiting for some. Raises ServiceUnreachable after seconds."""
        path = f"/deliveries/claims?wait={wait_seconds}"
        return self._call(
            path, claim, list[Outgoing], patience_seconds=SENDER_PATIENCE_SECONDS, read_seconds=wait_seconds + 15
        )

    def report_attempt(self, report: AttemptReport) -> bool:
        """Report on an attempt; may be repeated. False when it came too late."""
        return self._call("/deliveries/attempts", report, AttemptTaken).taken

    def prune_deliveries(self) -> int:
        """Have the ledger remove deliveries that have had their time; returns how many."""
        return self._call("/deliveries/prune", DeliveryPruning(), DeliveriesPruned).deliveries

    def claim_call(self, wait_seconds: float) -> ClaimedCall | None:
        """Ask for a sync call, waiting for one. Raises ServiceUnreachable after seconds."""
        return self._call(
            f"/calls/claims?wait={wait_seconds}",
            CallClaim(worker_id=self.worker_id),
            CallClaims,
            patience_seconds=SENDER_PATIENCE_SECONDS,
            read_seconds=wait_seconds + 15,
        ).call

    def fetch_call(self, call: ClaimedCall, into: Path) -> None:
        """Fetch the bytes of a claimed call into a file. Raises StaleLease, ServiceUnreachable."""
        try:
            with (
                self._http.stream("GET", f"/calls/{call.call_id}/document?attempt={call.attempt}") as answer,
                into.open("wb") as file,
            ):
                if not answer.is_success:
                    raise StaleLease("The API has the bytes of this call no more.")
                for piece in answer.iter_bytes():
                    file.write(piece)
        except httpx.TransportError as error:
            raise ServiceUnreachable(f"The bytes of a call could not be fetched: {error}") from error

    def watch_call(self, call: ClaimedCall, wait_seconds: float) -> bool:
        """Wait while somebody waits for a call; False when nobody does any more. Raises ServiceUnreachable at once."""
        return self._call(
            f"/calls/watch?wait={wait_seconds}",
            CallWatch(call_id=call.call_id, attempt=call.attempt),
            CallTaken,
            patience_seconds=0.0,
            read_seconds=wait_seconds + 15,
        ).taken

    def reserve_call(self, call: ClaimedCall, pages: int) -> bool:
        """Ask for the pages of a call before they are read. Raises StaleLease when nobody waits for it any more."""
        return self._call(
            "/calls/pages", CallPages(call_id=call.call_id, attempt=call.attempt, pages=pages), CallTaken
        ).taken

    def end_call(self, end: CallEnd) -> bool:
        """Report what a call came to. Raises StaleLease when nobody waits for it any more."""
        return self._call("/calls/end", end, CallTaken, patience_seconds=SENDER_PATIENCE_SECONDS).taken

    def claim_drawing(self, wait_seconds: float) -> AskedPage | None:
        """Ask for a page that somebody wants drawn, waiting for one. Raises ServiceUnreachable after seconds."""
        return self._call(
            f"/drawings/claims?wait={wait_seconds}",
            DrawingClaim(worker_id=self.worker_id),
            DrawingClaims,
            patience_seconds=SENDER_PATIENCE_SECONDS,
            read_seconds=wait_seconds + 15,
        ).page

    def end_drawing(self, end: DrawingEnd) -> bool:
        """Report what the drawing of a page came to; False when nobody knows of it any more."""
        return self._call("/drawings/end", end, DrawingTaken, patience_seconds=SENDER_PATIENCE_SECONDS).taken

    def close(self) -> None:
        """Let the connections go."""
        self._http.close()

    def _call(
        self,
        path: str,
        body: object,
        answer: type[T],
        *,
        patience_seconds: float | None = None,
        read_seconds: float = 30.0,
    ) -> T:
        content = _adapter(type(body)).dump_json(body)
        patience = self._patience_seconds if patience_seconds is None else patience_seconds
        deadline, pause = time.monotonic() + patience, 0.1
        while True:
            try:
                response = self._http.post(
                    path,
                    content=content,
                    headers={"Content-Type": "application/json"},
                    timeout=httpx.Timeout(read_seconds, connect=5.0),
                )
                if response.status_code < 500:
                    return self._read(response, answer)
                trouble = f"HTTP {response.status_code}"
            except httpx.TransportError as error:
                trouble = f"{type(error).__name__}: {error}"
            if time.monotonic() + pause > deadline:
                raise ServiceUnreachable(f"Octavo's API does not answer at {self._http.base_url}: {trouble}")
            time.sleep(pause * random.uniform(0.5, 1.0))  # noqa: S311 - jitter
            pause = min(pause * 2, LONGEST_PAUSE_SECONDS)

    @staticmethod
    def _read(response: httpx.Response, answer: type[T]) -> T:
        if response.status_code == 401:
            raise InvalidAdminToken("The API refuses this worker's token; set OCTAVO_WORKER__TOKEN.")
        if response.status_code == 409:
            raise StaleLease(f"The API says that it is over: {response.text[:300]}")
        if not response.is_success:
            raise Refused(f"HTTP {response.status_code}: {response.text[:300]}", status=response.status_code)
        try:
            return _adapter(answer).validate_json(response.content)
        except ValidationError as error:
            raise Refused(
                f"{response.url} does not answer as Octavo's API does.", status=response.status_code
            ) from error


_ADAPTERS: dict[type[Any], TypeAdapter[Any]] = {}


def _adapter(kind: type[T]) -> TypeAdapter[T]:
    if kind not in _ADAPTERS:
        _ADAPTERS[kind] = TypeAdapter(kind)
    return _ADAPTERS[kind]
