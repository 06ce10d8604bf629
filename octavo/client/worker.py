"""The workers' client: claims, reports, heartbeats. Blocking, thread-safe, patient.

A short outage of the API (a restart) must not lose an outcome: calls are repeated until
`patience_seconds` are over; a refusal is a `Refused` at once. A claim whose answer was lost leaves
a lease that nobody renews: it runs out by itself.
"""

from pathlib import Path
from typing import Any, TypeVar

import httpx
from pydantic import TypeAdapter, ValidationError
from tenacity import Retrying, retry_if_exception_type, stop_before_delay

from octavo.authorities import authorities
from octavo.backoff import exponential
from octavo.client.broker_protocol import Accepted, WorkRequest
from octavo.client.customer import Refused
from octavo.client.delivery_protocol import (
    AttemptTaken,
    DeliveryClaim,
    Outgoing,
    PrunedDeliveries,
    PruneDeliveriesRequest,
)
from octavo.client.page_render_protocol import OfferedPageRender, PageRenderResult, PageRenderTask
from octavo.client.sync_protocol import OfferedSyncTask, SyncFailure, SyncPages, SyncResult, SyncTask, SyncWatch
from octavo.client.worker_protocol import (
    Heartbeat,
    Hello,
    Lost,
    NamedRun,
    Notifications,
    OpenedRun,
    OpenRun,
    PruneRequest,
    RemovedRecords,
    Reports,
    Reserved,
    RetriedRun,
    RunSummary,
    SweepRequest,
    SweepResult,
    Welcome,
)
from octavo.errors import InvalidAdminToken, ServiceUnreachable, StaleLease
from octavo.identifiers import RunId, WorkerId
from octavo.ledger.contract import Claim, ClaimRequest, ItemProgress, Pruned, Report, ReportResult, Reservation
from octavo.objects.contract import ObjectInfo
from octavo.webhooks.records import AttemptReport

T = TypeVar("T")
FIRST_PAUSE_SECONDS = 0.1
LONGEST_PAUSE_SECONDS = 2.0
SHORT_PATIENCE_SECONDS = 10.0
"""For work that can be asked for again: it need not outlast an API that is away."""
READ_MARGIN_SECONDS = 15.0
"""How much longer than it may wait an answer may take."""


class _Trouble(Exception):
    """The API did not answer, or with a fault of its own: worth another attempt."""


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
            verify=authorities(),
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
        self._call("/workers/drain", Hello(worker_id=self.worker_id), Notifications, patience_seconds=2.0)

    def goodbye(self) -> None:
        """End this worker's life in an orderly way."""
        self._call("/workers/goodbye", Hello(worker_id=self.worker_id), Notifications, patience_seconds=2.0)

    def wait_for_runs(self, seen: int, seconds: float) -> int:
        """Wait for a notification not yet seen; returns their count. Raises ServiceUnreachable at once."""
        path = f"/workers/wait?seen={seen}&seconds={seconds}"
        body = Hello(worker_id=self.worker_id)
        return self._call(path, body, Notifications, patience_seconds=0.0, read_seconds=seconds + 10).count

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
        self._call("/runs/end", NamedRun(run_id=run_id), Notifications)

    def cancel_run(self, run_id: RunId) -> None:
        """Cancel the batch of a run that was cancelled in the Prefect UI."""
        self._call("/runs/cancel", NamedRun(run_id=run_id), Notifications)

    def claim(self, request: ClaimRequest, *, wait_seconds: float) -> Claim:
        """Ask for slices, waiting up to `wait_seconds` for some. Raises StaleLease when the run is over."""
        path = f"/claims?wait={wait_seconds}"
        return self._call(path, request, Claim, read_seconds=wait_seconds + READ_MARGIN_SECONDS)

    def report(self, *reports: Report) -> list[ReportResult]:
        """Report on items; may be repeated, for the ledger takes each word once."""
        return self._call("/reports", Reports(worker_id=self.worker_id, reports=reports), list[ReportResult])

    def reserve(self, asked: Reservation) -> bool:
        """Set pages aside for an item before it is read; False over the quota. Raises StaleLease."""
        return self._call("/reservations", asked, Reserved).is_reserved

    def retry_batch(self, run_id: RunId) -> RetriedRun:
        """Have the failed items of the run's batch run again."""
        return self._call("/runs/retry", NamedRun(run_id=run_id), RetriedRun)

    def summary(self, run_id: RunId) -> RunSummary:
        """Return how the run's batch stands."""
        return self._call("/runs/summary", NamedRun(run_id=run_id), RunSummary)

    def prune(self, keep_runs_seconds: float) -> Pruned:
        """Have the ledger remove what is old enough; returns how much that was."""
        return self._call("/prune", PruneRequest(keep_runs_seconds=keep_runs_seconds), Pruned)

    def sweep(self, stored: tuple[ObjectInfo, ...]) -> SweepResult:
        """Have those of these objects deleted that nobody names."""
        return self._call("/sweep", SweepRequest(stored=stored), SweepResult, read_seconds=120.0)

    def forget(self) -> RemovedRecords:
        """Have the ledger remove some old records; none is the end."""
        return self._call("/forget", None, RemovedRecords)

    def claim_deliveries(self, claim: DeliveryClaim, *, wait_seconds: float) -> list[Outgoing]:
        """Ask for webhooks' deliveries that are due, waiting for some. Raises ServiceUnreachable after seconds."""
        path = f"/deliveries/claims?wait={wait_seconds}"
        return self._call(
            path,
            claim,
            list[Outgoing],
            patience_seconds=SHORT_PATIENCE_SECONDS,
            read_seconds=wait_seconds + READ_MARGIN_SECONDS,
        )

    def report_attempt(self, report: AttemptReport) -> bool:
        """Report on an attempt; may be repeated. False when it came too late."""
        return self._call("/deliveries/attempts", report, AttemptTaken).taken

    def prune_deliveries(self) -> int:
        """Have the ledger remove deliveries that are old enough; returns how many."""
        return self._call("/deliveries/prune", PruneDeliveriesRequest(), PrunedDeliveries).deliveries

    def claim_sync(self, wait_seconds: float) -> SyncTask | None:
        """Ask for a document that a customer waits for. Raises ServiceUnreachable after seconds."""
        return self._ask_for_work("/sync/claims", OfferedSyncTask, wait_seconds).task

    def fetch_sync_document(self, task: SyncTask, into: Path) -> None:
        """Fetch the bytes of a claimed document into a file. Raises StaleLease, ServiceUnreachable."""
        try:
            with (
                self._http.stream("GET", f"/sync/{task.call_id}/document?attempt={task.attempt}") as answer,
                into.open("wb") as file,
            ):
                if not answer.is_success:
                    raise StaleLease("The API no longer has the bytes of this document.")
                for piece in answer.iter_bytes():
                    file.write(piece)
        except httpx.TransportError as error:
            raise ServiceUnreachable(f"The bytes of a document could not be fetched: {error}") from error

    def watch_sync(self, task: SyncTask, wait_seconds: float) -> bool:
        """Wait while somebody waits for a document; False when nobody does. Raises ServiceUnreachable at once."""
        return self._call(
            f"/sync/watch?wait={wait_seconds}",
            SyncWatch(call_id=task.call_id, attempt=task.attempt),
            Accepted,
            patience_seconds=0.0,
            read_seconds=wait_seconds + READ_MARGIN_SECONDS,
        ).accepted

    def reserve_sync_pages(self, task: SyncTask, pages: int) -> bool:
        """Ask for the pages of a document before they are read. Raises StaleLease when nobody waits for it."""
        asked = SyncPages(call_id=task.call_id, attempt=task.attempt, pages=pages)
        return self._call("/sync/pages", asked, Accepted).accepted

    def end_sync(self, task: SyncTask, end: SyncResult | SyncFailure) -> bool:
        """Report how a document ended. Raises StaleLease when nobody waits for it any more."""
        if isinstance(end, SyncFailure):
            return self._call("/sync/failure", end, Accepted, patience_seconds=SHORT_PATIENCE_SECONDS).accepted
        path = f"/sync/result?call_id={task.call_id}&attempt={task.attempt}&pages={end.pages}"
        answer = self._send(
            "PUT", path, end.content, "application/octet-stream", patience_seconds=SHORT_PATIENCE_SECONDS
        )
        return self._read(answer, Accepted).accepted

    def claim_page_render(self, wait_seconds: float) -> PageRenderTask | None:
        """Ask for a page that somebody wants to see. Raises ServiceUnreachable after seconds."""
        return self._ask_for_work("/page-renders/claims", OfferedPageRender, wait_seconds).task

    def end_page_render(self, result: PageRenderResult) -> bool:
        """Report the result of rendering a page; False when nobody knows of it any more."""
        return self._call("/page-renders/end", result, Accepted, patience_seconds=SHORT_PATIENCE_SECONDS).accepted

    def _ask_for_work(self, path: str, offer: type[T], wait_seconds: float) -> T:
        return self._call(
            f"{path}?wait={wait_seconds}",
            WorkRequest(worker_id=self.worker_id),
            offer,
            patience_seconds=SHORT_PATIENCE_SECONDS,
            read_seconds=wait_seconds + READ_MARGIN_SECONDS,
        )

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
        return self._read(
            self._send("POST", path, content, "application/json", patience_seconds=patience, read_seconds=read_seconds),
            answer,
        )

    def _send(
        self,
        method: str,
        path: str,
        content: bytes,
        content_type: str,
        *,
        patience_seconds: float,
        read_seconds: float = 30.0,
    ) -> httpx.Response:
        def send_once() -> httpx.Response:
            try:
                response = self._http.request(
                    method,
                    path,
                    content=content,
                    headers={"Content-Type": content_type},
                    timeout=httpx.Timeout(read_seconds, connect=5.0),
                )
            except httpx.TransportError as error:
                raise _Trouble(f"{type(error).__name__}: {error}") from error
            if response.status_code >= 500:
                raise _Trouble(f"HTTP {response.status_code}")
            return response

        patiently = Retrying(
            retry=retry_if_exception_type(_Trouble),
            wait=exponential(FIRST_PAUSE_SECONDS, LONGEST_PAUSE_SECONDS),
            stop=stop_before_delay(patience_seconds),
            reraise=True,
        )
        try:
            return patiently(send_once)
        except _Trouble as error:
            raise ServiceUnreachable(f"Octavo's API does not answer at {self._http.base_url}: {error}") from error

    @staticmethod
    def _read(response: httpx.Response, answer: type[T]) -> T:
        if response.status_code == 401:
            raise InvalidAdminToken("The API refuses this worker's token; set OCTAVO_WORKER__TOKEN.")
        if response.status_code == 409:
            raise StaleLease(f"The API says that it is over: {response.text[:300]}")
        if response.status_code == 404 and b'"not_found"' in response.content:
            raise Refused(
                f"There is nothing for workers at {response.url}; OCTAVO_WORKER__API_URL names the API's internal "
                "listener (api.internal_host, api.internal_port).",
                status=404,
            )
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
