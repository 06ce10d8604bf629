"""Fills a data directory with a checkout of some version, and packs it for `test_upgrade.py`.

    python -m tests.acceptance.upgrade.fill CHECKOUT NAME

CHECKOUT has an environment of its own in `.venv`; NAME tells version and commit. Speaks to the stack over HTTP as
its customers and its operator do, so that it fills directories of later versions as well. Everything is kept for a
hundred years, but for the customer `brief`, whose results are gone by the time anybody opens the directory.
"""

import contextlib
import json
import os
import secrets
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import duckdb
import httpx

from octavo.directory import free_port
from octavo.samples import make_report, make_two_columns
from tests.acceptance.stack import clean_environment, processes, wait_for
from tests.acceptance.upgrade.packed import HERE, HOST, KEPT, PORT, SUFFIX, Found, pack
from tests.webhook_receiver import receiving

YEARS = 100 * 365
SETTINGS = f"""\
# A hundred years, so that nothing of a directory that is kept expires with the calendar.
[limits]
retention_seconds = {YEARS * 24 * 3600}
keep_records_days = {YEARS}

[prefect]
keep_runs_days = {YEARS}
keep_events_days = {YEARS}

[webhooks]
# The third attempt is due when somebody opens the directory.
retry_seconds = [0, 1, 30, 1, 1, 1, 1, 1, 1, 1]
keep_days = {YEARS}

[outbound]
allow = ["{HOST}:{PORT}"]

[worker]
test_engines = true
keep_pages_seconds = 1
"""
BRIEF_SECONDS = 40
LONG_PAGES = 150
KEPT_PAGES = 20
FLOW_END_SECONDS = 3.0
"""Until the flow run of a batch has ended, after its last item."""
ENDED = frozenset({"completed", "partially_failed", "failed", "cancelled"})
Json = dict[str, Any]


@dataclass
class Customer:
    """One customer of the stack that is filled."""

    name: str
    http: httpx.Client
    key: str
    folder: Path
    batches: dict[str, str] = field(default_factory=dict)
    """Batch ids by what the batch is for."""

    def ask(self, method: str, path: str, **arguments: Any) -> Json:
        """Return what the service answers."""
        answer = self.http.request(method, path, **arguments)
        assert answer.status_code < 300, f"{method} {path}: {answer.status_code} {answer.text}"
        found: Json = answer.json()
        return found

    def stage(self, name: str, content: bytes | Callable[[Path], None], *, upload: bool = True) -> str:
        """Stage a file, and upload it; returns its id."""
        path = self.folder / name
        content(path) if callable(content) else path.write_bytes(content)
        size = path.stat().st_size
        staged = self.ask("POST", "/v1/files", json={"filename": name, "size_bytes": size})
        if upload:
            httpx.put(
                staged["upload"]["url"], content=path.read_bytes(), trust_env=False, timeout=60
            ).raise_for_status()
        return str(staged["id"])

    def submit(self, what: str, file_ids: list[str], engine: str, **options: Any) -> str:
        """Submit a batch and remember it."""
        body = {"source": {"type": "files", "file_ids": file_ids}, "engine": engine} | options
        made = self.ask("POST", "/v1/batches", json=body, headers={"Idempotency-Key": f"{self.name}-{what}"})
        self.batches[what] = made["id"]
        return str(made["id"])

    def look(self, what: str) -> Json:
        return self.ask("GET", f"/v1/batches/{self.batches[what]}", params={"limit": 500})

    def wait(self, what: str) -> Json:
        """Return a batch that has ended."""

        def ended() -> Json | None:
            found = self.look(what)
            return found if found["status"] in ENDED else None

        return wait_for(ended, limit=120, what=f"the end of {what}")


class Stack:
    """The stack of a checkout."""

    def __init__(self, checkout: Path, data: Path) -> None:
        self.data = data
        self.url = f"http://127.0.0.1:{free_port()}"
        data.mkdir()
        (data / "octavo.toml").write_text(SETTINGS)
        with (data / "terminal").open("wb") as terminal:
            self.process = subprocess.Popen(
                [checkout / ".venv/bin/octavo", "up", "--data", data, "--port", self.url.rpartition(":")[2]],
                cwd=checkout,
                env=clean_environment(),
                stdout=terminal,
                stderr=terminal,
                stdin=subprocess.DEVNULL,
                start_new_session=True,
            )

    def wait_until_healthy(self) -> None:
        def healthy() -> bool:
            assert self.process.poll() is None, (self.data / "terminal").read_text()
            with contextlib.suppress(httpx.HTTPError):
                return httpx.get(f"{self.url}/health", trust_env=False, timeout=60).status_code == 200
            return False

        wait_for(healthy, limit=90, what="a healthy stack")

    def kill(self) -> None:
        """Kill everything at once: first the parent, which would start the others again."""
        found, everyone = [self.process.pid], processes()
        for pid in found:
            found += [child for child, (parent, _) in everyone.items() if parent == pid]
        for pid in found:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        self.process.wait()
        wait_for(lambda: not set(found) & set(processes()), limit=20, what="the end of all processes")

    def admin(self, method: str, path: str, body: Json | None = None) -> Json:
        token = (self.data / "secrets" / "admin_token").read_text().strip()
        headers = {"Authorization": f"Bearer {token}"}
        answer = httpx.request(method, self.url + path, json=body, headers=headers, trust_env=False, timeout=60)
        assert answer.status_code < 300, answer.text
        found: Json = answer.json()
        return found

    def customer(self, name: str, folder: Path, **limits: int) -> Customer:
        self.admin("POST", "/admin/customers", {"name": name} | limits)
        key = str(self.admin("POST", "/admin/keys", {"customer": name, "label": "first"})["key"])
        http = httpx.Client(base_url=self.url, headers={"X-API-KEY": key}, trust_env=False, timeout=60)
        (folder / name).mkdir()
        return Customer(name, http, key, folder / name)


def fill(stack: Stack, folder: Path) -> Found:
    """Do everything a service is for; ends with the stack killed in the middle of work."""
    mill = stack.customer("mill", folder, item_cap=3, page_quota=5000)
    brief = stack.customer("brief", folder, retention_seconds=BRIEF_SECONDS)
    harbour = stack.customer("harbour", folder)
    revoked = stack.admin("POST", "/admin/keys", {"customer": "mill", "label": "revoked"})
    stack.admin("DELETE", f"/admin/keys/{revoked['id']}")
    uploads = stack.admin("POST", "/admin/keys", {"customer": "mill", "label": "scanner", "uploads_only": True})
    webhooks = heard(stack, mill, folder)
    webhooks["waiting"] = harbour.ask("POST", "/v1/webhooks", json={"url": f"http://{HOST}:{PORT}/waiting"})
    short(brief)
    ended(harbour)
    staged = {
        "uploaded": harbour.stage("not yet submitted.pdf", make_two_columns),
        "expected": harbour.stage("not uploaded.txt", b"nobody has sent this", upload=False),
    }
    deliveries = f"/v1/webhooks/{webhooks['waiting']['id']}/deliveries"
    wait_for(
        lambda: all(one["attempts"] for one in harbour.ask("GET", deliveries)["data"]), limit=30, what="two attempts"
    )
    running(harbour, mill)
    customers = (mill, brief, harbour)
    seen = {one.name: described(one) for one in customers}
    accounts = stack.admin("GET", "/admin/customers")["data"]
    stack.kill()
    return {
        "url": stack.url,
        "accounts": accounts,
        "revoked_key": revoked["key"],
        "uploads_only_key": uploads["key"],
        "customers": seen,
        "files": staged,
        "webhooks": webhooks,
        **on_disk(stack.data, folder),
    }


def heard(stack: Stack, mill: Customer, folder: Path) -> Json:
    """Have batches told to a receiver that is there, and switch a webhook off by its answer."""
    with receiving(PORT, host=HOST) as receiver:
        told = mill.ask("POST", "/v1/webhooks", json={"url": receiver.url("/told")})
        mill.submit("told", [mill.stage("letter.pdf", make_two_columns)], "fast")
        mill.wait("told")
        wait_for(lambda: receiver.at("/told"), limit=30, what="a message")
        receiver.answers = [200, 410]
        gone = mill.ask("POST", "/v1/webhooks", json={"url": receiver.url("/gone")})
        for webhook in (told, gone):
            mill.ask("POST", f"/v1/webhooks/{webhook['id']}/ping")
            path = f"/v1/webhooks/{webhook['id']}/deliveries"
            wait_for(
                lambda path=path: all(one["status"] != "pending" for one in mill.ask("GET", path)["data"]),  # type: ignore[misc]
                limit=30,
                what="deliveries that are over",
            )
    return {"told": told, "gone": gone}


def short(brief: Customer) -> None:
    """Leave results behind that will have expired."""
    brief.submit("due", [brief.stage("letter.pdf", make_two_columns)], "fast")
    brief.wait("due")


def ended(harbour: Customer) -> None:
    """Have batches come to every end there is."""
    report = harbour.stage("report.pdf", make_report)
    letter = harbour.stage("letter.pdf", make_two_columns)
    page = harbour.stage("page.html", b"<h1>Lock gates</h1><p>Closed on <b>Monday</b>.</p>")
    harbour.submit("completed", [report, letter, page], "auto", metadata={"order": 7})
    harbour.submit("without images", [report], "fast", extract_images=False)
    harbour.submit("without text", [report], "fast", extract_text=False)
    words = ["hello", "extraction_failed", "bad-page"]
    harbour.submit("partially failed", [harbour.stage(f"{n}.bin", w.encode()) for n, w in enumerate(words)], "failing")
    harbour.submit("failed", [harbour.stage("broken.pdf", b"%PDF-1.7 and then nothing")], "fast")
    holed = [harbour.stage("holed.bin", b"holes 4 2,3 3"), harbour.stage("again.bin", b"extraction_failed")]
    harbour.submit("retried", holed, "failing")
    sleepers = [harbour.stage(f"sleeper-{number}.txt", secrets.token_bytes(16)) for number in range(10)]
    harbour.submit("cancelled", sleepers, "sleep:1")
    wait_for(lambda: harbour.look("cancelled")["counts"]["running"], limit=60, what="sleepers")
    harbour.ask("POST", f"/v1/batches/{harbour.batches['cancelled']}/cancel")
    again = [harbour.stage(f"called-off-{number}.txt", secrets.token_bytes(16)) for number in range(10)]
    at_once = harbour.submit("cancelled at once", again, "sleep:1")
    harbour.ask("POST", f"/v1/batches/{at_once}/cancel")
    for what in harbour.batches:
        harbour.wait(what)
    harbour.ask("POST", f"/v1/batches/{harbour.batches['retried']}/retry_failed", json={"failed_pages": True})
    harbour.wait("retried")
    reports = next(item for item in harbour.look("completed")["items"] if item["position"] == 0)
    address = f"/v1/batches/{harbour.batches['completed']}/items/{reports['id']}/pages/2/image"
    assert harbour.http.get(address, params={"width": 400}).status_code == 302
    harbour.submit("deleted", [harbour.stage("deleted.pdf", make_two_columns)], "fast")
    harbour.wait("deleted")
    time.sleep(FLOW_END_SECONDS)
    assert harbour.http.delete(f"/v1/batches/{harbour.batches.pop('deleted')}").status_code == 204
    with (harbour.folder / "letter.pdf").open("rb") as file:
        harbour.ask("POST", "/v1/extract/file", files={"file": ("letter.pdf", file, "application/pdf")})


def running(harbour: Customer, mill: Customer) -> None:
    """Return in the middle of work: items that run, wait and have ended, pages kept, a cancel not yet carried out."""
    waiting = [mill.stage(f"waiting-{number}.txt", secrets.token_bytes(16)) for number in range(12)]
    mill.submit("running", waiting, "sleep:1")
    leaving = [mill.stage(f"leaving-{number}.txt", secrets.token_bytes(16)) for number in range(4)]
    mill.submit("cancelling", leaving, "sleep:3")
    long = harbour.stage("long.bin", f"pages {LONG_PAGES} 0.1".encode())
    words = ["hello again", "extraction_failed", *(f"pages {pages} 0.5" for pages in range(2, 7))]
    others = [harbour.stage(f"short-{number}.bin", word.encode()) for number, word in enumerate(words)]
    harbour.submit("running", [long, *others], "failing")

    def is_amid() -> bool:
        items = harbour.look("running")["items"]
        pages = max(item["pages_done"] or 0 for item in items)
        done = mill.look("running")["counts"]["succeeded"]
        return pages >= KEPT_PAGES and done >= 2 and mill.look("cancelling")["counts"]["running"] >= 1

    wait_for(is_amid, limit=60, what="work in its middle")
    mill.ask("POST", f"/v1/batches/{mill.batches['cancelling']}/cancel")


def described(customer: Customer) -> Json:
    """Return what the service tells a customer of all that it keeps."""
    batches = {what: described_batch(customer, what) for what in customer.batches}
    webhooks = customer.ask("GET", "/v1/webhooks")["data"]
    return {
        "key": customer.key,
        "batches": batches,
        "webhooks": webhooks,
        "deliveries": {
            one["id"]: customer.ask("GET", f"/v1/webhooks/{one['id']}/deliveries")["data"] for one in webhooks
        },
    }


def described_batch(customer: Customer, what: str) -> Json:
    batch_id = customer.batches[what]
    found = customer.look(what)
    if found["status"] not in ENDED:
        return {"id": batch_id}
    results = {}
    for item in found["items"]:
        if item["status"] == "succeeded":
            address = f"/v1/batches/{batch_id}/items/{item['id']}/result"
            results[item["id"]] = {
                kind: customer.http.get(address, params={"format": kind}, follow_redirects=True).text
                for kind in ("json", "markdown", "html")
            }
    return {"id": batch_id, "batch": found, "results": results}


def on_disk(data: Path, folder: Path) -> Json:
    """Return what the ledger knew when the stack was killed: every row of usage, every item of unfinished batches."""
    copy = folder / "ledger.duckdb"
    for name in ("ledger.duckdb", "ledger.duckdb.wal"):
        if (data / name).exists():
            shutil.copy(data / name, copy.with_name(name))
    with contextlib.closing(duckdb.connect(str(copy))) as ledger:

        def rows(columns: str, rest: str) -> list[Json]:
            cursor = ledger.execute(f"SELECT {columns} FROM {rest}")  # noqa: S608 - both are of this function
            names = [str(column[0]) for column in cursor.description or ()]
            return [dict(zip(names, row, strict=True)) for row in cursor.fetchall()]

        unfinished = "items JOIN batches USING (batch_id) WHERE batches.status IN ('pending', 'running', 'cancelling')"
        return {
            "usage": rows("item_id, batch_id, customer_id, pages", "usage ORDER BY item_id"),
            "unfinished": rows("item_id, batch_id, items.status, pages_done", f"{unfinished} ORDER BY item_id"),
        }


@contextlib.contextmanager
def running_stack(checkout: Path, data: Path) -> Iterator[Stack]:
    stack = Stack(checkout, data)
    try:
        stack.wait_until_healthy()
        yield stack
    finally:
        if stack.process.poll() is None:
            stack.kill()


def main(checkout: str, name: str) -> None:
    """Fill, pack, tell the size."""
    root, archive, begun = Path(checkout).resolve(), HERE / f"{name}{SUFFIX}", time.monotonic()
    with tempfile.TemporaryDirectory(prefix="octavo-upgrade-") as folder:
        data = Path(folder) / "data"
        with running_stack(root, data) as stack:
            found = fill(stack, Path(folder))
        told = [path for path in data.rglob("*") if path.is_file() and str(root).encode() in path.read_bytes()]
        told = [path for path in told if path.relative_to(data).parts[0] in KEPT]
        assert not told, f"a path of this machine is in {told}"
        pack(data, found, archive)
    told_size = {"archive": archive.name, "bytes": archive.stat().st_size, "seconds": round(time.monotonic() - begun)}
    sys.stdout.write(json.dumps(told_size) + "\n")


if __name__ == "__main__":
    main(*sys.argv[1:])
