"""What webhooks cost and how soon they arrive: `python -m bench.webhooks [--ends N] [--pings N]`.

First the ledger alone: the commit that ends a batch of one item, whose customer has no webhook, one, or ten.
Then a whole stack and a receiver on loopback: from a batch's end to the arrival of its message, first where a
flow run has to be made for it, then where one is there; and how many messages a second leave for many customers.
"""

import argparse
import contextlib
import statistics
import tempfile
import threading
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import httpx

from bench.latency import first_item_seconds, stage
from bench.ledger import OUTCOME, ready_files, submit
from bench.scorecard import write_scorecard
from bench.service import running_stack
from octavo.client.customer import CustomerClient
from octavo.identifiers import RunId, WorkerId
from octavo.ledger.contract import ClaimRequest, NewWebhook, Report, ReportKind
from octavo.ledger.duckdb import DuckdbLedger
from octavo.webhooks.records import BATCH_EVENTS

TRIALS = 8
QUIET_SECONDS = 12.0
"""After this long no flow run is there any more."""
CUSTOMERS = 20
LIMIT_SECONDS = 120.0


# The ledger -------------------------------------------------------------------------------


def end_milliseconds(folder: Path, webhooks: int, ends: int) -> float:
    """Return the median time of the commit that ends a batch."""
    ledger = DuckdbLedger(folder / f"{webhooks}.duckdb")
    customer = ledger.accounts.ensure_customer("bench")
    for _ in range(webhooks):
        new = NewWebhook(customer_id=customer.customer_id, url="https://a.example/", events=BATCH_EVENTS)
        ledger.webhooks.add(new)
    times = []
    for file_id in ready_files(ledger, customer, ends):
        batch = submit(ledger, customer, [file_id])
        request = ClaimRequest(batch_id=batch.batch_id, run_id=RunId("run"), worker_id=WorkerId("w/1"), slots=1)
        (item,) = ledger.work.claim(request).slices[0].items
        word = Report(kind=ReportKind.FINISH, item_id=item.item_id, lease_no=item.lease_no, outcome=OUTCOME)
        began = time.perf_counter()
        ledger.work.report([word])
        times.append(time.perf_counter() - began)
    ledger.close()
    return round(1000 * statistics.median(times), 2)


# A whole stack ----------------------------------------------------------------------------


class Arrivals:
    """When each message arrived."""

    def __init__(self) -> None:
        self.port = 0
        self.times: list[float] = []

    def wait_for(self, count: int) -> float:
        """Return when the message of this number arrived, from 1."""
        limit = time.monotonic() + LIMIT_SECONDS
        while len(self.times) < count:
            if time.monotonic() > limit:
                raise TimeoutError(f"{len(self.times)} of {count} messages arrived")
            time.sleep(0.002)
        return self.times[count - 1]


@contextlib.contextmanager
def receiving() -> Iterator[Arrivals]:
    arrivals = Arrivals()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            arrivals.times.append(datetime.now(UTC).timestamp())
            self.rfile.read(int(self.headers["content-length"]))
            self.send_response(204)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            return

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        arrivals.port = server.server_address[1]
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield arrivals
        server.shutdown()


def add_webhook(url: str, key: str, arrivals: Arrivals) -> tuple[httpx.Client, str]:
    """Return a client with this key, and the address of a webhook that it has created."""
    http = httpx.Client(base_url=url, headers={"X-API-KEY": key}, trust_env=False, timeout=60)
    made = http.post("/v1/webhooks", json={"url": f"http://127.0.0.1:{arrivals.port}/"})
    made.raise_for_status()
    return http, f"/v1/webhooks/{made.json()['id']}"


def arrival_seconds(client: CustomerClient, file_id: str, arrivals: Arrivals) -> float:
    """Run a batch to its end; return how long after that its message arrived."""
    before = len(arrivals.times)
    first_item_seconds(client, [file_id])
    ended = max(
        datetime.fromisoformat(batch["completed_at"]) for batch in client._json("GET", "/v1/batches?limit=1")["data"]
    )
    return arrivals.wait_for(before + 1) - ended.timestamp()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--ends", type=int, default=500, help="batches that end in the ledger, for each number")
    parser.add_argument("--pings", type=int, default=400, help="messages for the rate")
    given = parser.parse_args()
    figures: dict[str, object] = {}
    with tempfile.TemporaryDirectory() as folder:
        for webhooks in (0, 1, 10):
            figures[f"end_with_{webhooks}_webhooks_ms"] = end_milliseconds(Path(folder), webhooks, given.ends)
    with (
        receiving() as arrivals,
        running_stack(OCTAVO_OUTBOUND__ALLOW=f'["127.0.0.1:{arrivals.port}"]') as stack,
        tempfile.TemporaryDirectory() as folder,
    ):
        path = Path(folder) / "document.txt"
        path.write_text("A line for the sleeping engine.\n")
        key = stack.key("bench")
        add_webhook(stack.url, key, arrivals)[0].close()
        with CustomerClient(stack.url, key) as client:
            file_id = stage(client, path)
            arrival_seconds(client, file_id, arrivals)
            cold, warm = [], []
            for _ in range(TRIALS):
                time.sleep(QUIET_SECONDS)
                cold.append(arrival_seconds(client, file_id, arrivals))
                warm.append(arrival_seconds(client, file_id, arrivals))
        figures["seconds_with_a_new_run"] = [round(seconds, 3) for seconds in sorted(cold)]
        figures["median_with_a_new_run"] = round(statistics.median(cold), 3)
        figures["seconds_with_a_run_there"] = [round(seconds, 3) for seconds in sorted(warm)]
        figures["median_with_a_run_there"] = round(statistics.median(warm), 3)
        figures["messages_a_second"] = rate(
            stack.url, [stack.key(f"c{n}") for n in range(CUSTOMERS)], arrivals, given.pings
        )
    for name, value in figures.items():
        print(f"{name:<28} {value}")
    print(f"written to {write_scorecard('webhooks', figures)}")


def rate(url: str, keys: list[str], arrivals: Arrivals, pings: int) -> float:
    """Return how many messages a second arrive once there are many to send."""
    webhooks = [add_webhook(url, key, arrivals) for key in keys]
    before = len(arrivals.times)
    for number in range(pings):
        http, address = webhooks[number % len(webhooks)]
        http.post(f"{address}/ping").raise_for_status()
    last = arrivals.wait_for(before + pings)
    for http, _ in webhooks:
        http.close()
    return round(pings / (last - arrivals.times[before]), 1)


if __name__ == "__main__":
    main()
