"""Sends what the API has composed for customers' webhooks. Knows nothing of Prefect."""

import threading
import time
from urllib.parse import urlsplit

from octavo.client.delivery_protocol import DeliveryClaim, Outgoing
from octavo.client.worker import WorkerClient
from octavo.errors import FetchFailed, UrlNotAllowed
from octavo.identifiers import DeliveryId
from octavo.outbound import Outbound
from octavo.timestamps import now
from octavo.webhooks.records import AttemptReport

DeliveryLease = tuple[DeliveryId, int]
"""A delivery and the number of the lease under which it is sent."""


class WebhookSender:
    """The deliveries that one worker process sends. Thread-safe."""

    def __init__(self, client: WorkerClient, outbound: Outbound) -> None:
        self._client = client
        self._outbound = outbound
        self._outgoing: dict[DeliveryLease, Outgoing] = {}
        self._lock = threading.Lock()

    def take(self, *, limit: int, under_way: int, wait_seconds: float) -> list[DeliveryLease]:
        """Claim deliveries that are due, waiting for some. Raises ServiceUnreachable."""
        claim = DeliveryClaim(limit=limit, under_way=under_way, worker_id=self._client.worker_id)
        taken = self._client.claim_deliveries(claim, wait_seconds=wait_seconds)
        with self._lock:
            lease = {(one.delivery_id, one.lease_no): one for one in taken}
            self._outgoing |= lease
        return list(lease)

    def label(self, lease: DeliveryLease) -> str:
        """Return a delivery's name for people: what is told to whom."""
        with self._lock:
            outgoing = self._outgoing.get(lease)
        return lease[0] if outgoing is None else f"{outgoing.event} to {urlsplit(outgoing.url).hostname}"

    def deliver(self, lease: DeliveryLease) -> AttemptReport:
        """Make one POST and report their outcome.

        Whatever happens in between, the lease runs out and the delivery is sent again. Raises ServiceUnreachable.
        """
        with self._lock:
            outgoing = self._outgoing.pop(lease)
        report = self._attempt(outgoing)
        self._client.report_attempt(report)
        return report

    def _attempt(self, outgoing: Outgoing) -> AttemptReport:
        started_at, began = now(), time.monotonic()
        status_code, error, answer = None, None, ""
        try:
            posted = self._outbound.post(
                outgoing.url, outgoing.body.encode(), outgoing.headers, total_seconds=outgoing.seconds
            )
        except (UrlNotAllowed, FetchFailed) as refused:
            error = refused.message
        else:
            status_code, answer = posted.status, posted.body.decode("utf-8", "replace").replace("\0", "")
        return AttemptReport(
            delivery_id=outgoing.delivery_id,
            lease_no=outgoing.lease_no,
            started_at=started_at,
            seconds=round(time.monotonic() - began, 3),
            status_code=status_code,
            error=error,
            answer=answer,
        )
