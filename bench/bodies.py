"""What large and odd bodies cost the API: `python -m bench.bodies [--bodies N]`.

Bodies of 20 MB to `POST /v1/batches`, many at once: with their length declared, in chunks without one, and metadata
of 1 MB and 1,000 levels. Each must be refused with a 4xx; the API's memory is looked at meanwhile, and what it has
stored after.
"""

import argparse
import json
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

import httpx

from bench.processes import members, resident_kib
from bench.scorecard import write_scorecard
from bench.service import Running, running_stack

BODY_BYTES = 20_000_000
CHUNK_BYTES = 64 * 1024
AT_ONCE = 50
LOOK_SECONDS = 0.02
TARGET_MB = AT_ONCE * 4.2
"""The most that the API may grow by: of concurrent bodies no more is held than has been read, 4 MiB each."""
Send = Callable[[httpx.Client], httpx.Response]


class Watch:
    """Records the peak memory of a process while it is open."""

    def __init__(self, pid: int) -> None:
        self._pid = pid
        self._stop = threading.Event()
        self.before_mb = resident_kib(pid) / 1024
        self.most_mb = self.before_mb

    def run(self) -> None:
        """Look again and again."""
        while not self._stop.wait(LOOK_SECONDS):
            self.most_mb = max(self.most_mb, resident_kib(self._pid) / 1024)

    @contextmanager
    def open(self) -> Iterator["Watch"]:
        """Look while the body runs."""
        thread = threading.Thread(target=self.run)
        thread.start()
        try:
            yield self
        finally:
            self._stop.set()
            thread.join()


def declared(client: httpx.Client) -> httpx.Response:
    return client.post("/v1/batches", content=b" " * BODY_BYTES, headers={"Content-Type": "application/json"})


def chunked(client: httpx.Client) -> httpx.Response:
    def chunks() -> Iterator[bytes]:
        for _ in range(BODY_BYTES // CHUNK_BYTES):
            yield b" " * CHUNK_BYTES

    return client.post("/v1/batches", content=chunks(), headers={"Content-Type": "application/json"})


def large_metadata(client: httpx.Client) -> httpx.Response:
    body = {"source": {"file_ids": ["file_none"]}, "metadata": {"text": "x" * 1_000_000}}
    return client.post("/v1/batches", json=body)


def deep_metadata(client: httpx.Client) -> httpx.Response:
    deep = '{"a":' * 1000 + "1" + "}" * 1000
    body = f'{{"source": {{"file_ids": ["file_none"]}}, "metadata": {deep}}}'
    return client.post("/v1/batches", content=body, headers={"Content-Type": "application/json"})


KINDS: dict[str, Send] = {
    "20 MB, its length declared": declared,
    "20 MB, in chunks": chunked,
    "metadata of 1 MB": large_metadata,
    "metadata of 1,000 levels": deep_metadata,
}


def try_one(stack: Running, key: str, send: Send) -> str:
    """Send one body over a connection of its own; return the status and code."""
    with httpx.Client(base_url=stack.url, headers={"X-API-KEY": key}, trust_env=False, timeout=120) as client:
        try:
            answer = send(client)
        except httpx.TransportError as error:
            # Refused while it was being sent: some clients never read the answer that came meanwhile.
            return type(error).__name__
        told = answer.json()
        return f"{answer.status_code} {told.get('error', 'detail')}"


def measure(stack: Running, key: str, pid: int, send: Send, bodies: int) -> dict[str, object]:
    began = time.perf_counter()
    with Watch(pid).open() as watch, ThreadPoolExecutor(AT_ONCE) as pool:
        answers = Counter(pool.map(lambda _: try_one(stack, key, send), range(bodies)))
    return {
        "bodies": bodies,
        "at_once": AT_ONCE,
        "answers": dict(answers),
        "seconds": round(time.perf_counter() - began, 1),
        "api_before_mb": round(watch.before_mb, 1),
        "api_grew_by_at_most_mb": round(watch.most_mb - watch.before_mb, 1),
        "target_mb": TARGET_MB,
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--bodies", type=int, default=200, help="of each kind")
    arguments = parser.parse_args()
    with running_stack() as stack:
        key = stack.key("bodies")
        (pid,) = (pid for pid, kind in members(stack.pid) if kind == "api")
        for send in KINDS.values():
            try_one(stack, key, send)
        figures = {name: measure(stack, key, pid, send, arguments.bodies) for name, send in KINDS.items()}
        stored = httpx.get(f"{stack.url}/v1/batches", headers={"X-API-KEY": key}, timeout=20).json()["data"]
    figures["stored"] = {"batches": len(stored)}
    print(json.dumps(figures, indent=1))
    print(f"written to {write_scorecard('bodies', figures)}")


if __name__ == "__main__":
    main()
