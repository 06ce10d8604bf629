"""What a customer feels while somebody attacks the API: `python -m bench.neighbours [--seconds S] [--only WORDS]`.

One neighbour polls a batch every 20 ms and submits batches of one document; meanwhile an attack goes on, from a process
of its own. Measured: the neighbour's polls, submits and times to the first item, and the API's memory.
"""

import argparse
import contextlib
import json
import statistics
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

import httpx

from bench.attacks import ATTACKS, Attack, Target, going_on
from bench.bodies import Watch
from bench.processes import members, resident_kib
from bench.scorecard import FOLDER, write_scorecard
from bench.service import Running, running_stack
from octavo.directory import DataDirectory

POLL_SECONDS = 0.02
REST_SECONDS = 3.0
"""How long after an attack the API's memory is looked at again."""
TARGET_POLL_P99_MS = 100
TARGET_GROWTH_MB = 100
LONGEST_SECONDS = 60.0
ENGINE = "sleep:0.01"
NOBODY = "nobody attacks"


@dataclass
class Neighbour:
    """A customer who does what customers do, and how long each of it took, in ms."""

    url: str
    key: str
    polls: list[float] = field(default_factory=list)
    submits: list[float] = field(default_factory=list)
    first_items: list[float] = field(default_factory=list)
    failures: int = 0

    def client(self) -> httpx.Client:
        """Return a client with connections of its own."""
        return httpx.Client(
            base_url=self.url, headers={"X-API-KEY": self.key}, trust_env=False, timeout=LONGEST_SECONDS
        )

    def file(self, client: httpx.Client) -> str:
        """Stage and upload a file."""
        staged = client.post("/v1/files", json={"size_bytes": 4, "filename": "a.txt"}).raise_for_status().json()
        httpx.put(staged["upload"]["url"], content=b"text", trust_env=False).raise_for_status()
        return str(staged["id"])

    def submit(self, client: httpx.Client, file_id: str) -> str:
        """Submit a batch of one document."""
        body = {"source": {"file_ids": [file_id]}, "engine": ENGINE}
        return str(client.post("/v1/batches", json=body).raise_for_status().json()["id"])

    def poll_again_and_again(self, batch_id: str, over: threading.Event) -> None:
        with self.client() as client:
            while not over.wait(POLL_SECONDS):
                with self._timed(self.polls):
                    client.get(f"/v1/batches/{batch_id}").raise_for_status()

    def submit_again_and_again(self, over: threading.Event) -> None:
        with self.client() as client:
            while not over.is_set():
                with contextlib.suppress(httpx.HTTPError):
                    file_id, began = self.file(client), time.perf_counter()
                    with self._timed(self.submits):
                        batch_id = self.submit(client, file_id)
                    client.get(f"/v1/batches/{batch_id}?wait=30").raise_for_status()
                    self.first_items.append((time.perf_counter() - began) * 1000)

    @contextlib.contextmanager
    def _timed(self, into: list[float]) -> Iterator[None]:
        began = time.perf_counter()
        try:
            yield
        except httpx.HTTPError:
            self.failures += 1
        into.append((time.perf_counter() - began) * 1000)

    def figures(self) -> dict[str, object]:
        """Return what was felt."""
        return {
            "poll": _spread(self.polls),
            "submit": _spread(self.submits),
            "first_item": _spread(self.first_items),
            "failures": self.failures,
        }


def _spread(found: list[float]) -> dict[str, float]:
    if not found:
        return {"count": 0}
    cuts = statistics.quantiles(found, n=100, method="inclusive") if len(found) > 1 else found * 99
    return {
        "count": len(found),
        "p50_ms": round(cuts[49], 1),
        "p99_ms": round(cuts[98], 1),
        "most_ms": round(max(found), 1),
    }


def _beside(neighbour: Neighbour, batch_id: str, seconds: float, watch: Watch) -> None:
    over = threading.Event()
    loops: list[Callable[[], None]] = [
        lambda: neighbour.poll_again_and_again(batch_id, over),
        lambda: neighbour.submit_again_and_again(over),
    ]
    threads = [threading.Thread(target=loop) for loop in loops]
    with watch.open():
        for thread in threads:
            thread.start()
        time.sleep(seconds)
        over.set()
        for thread in threads:
            thread.join()


def measure(stack: Running, attack: Attack | None, attacker: str, pid: int, seconds: float) -> dict[str, object]:
    """Return what a new neighbour feels beside this attack, and the API's memory."""
    neighbour = Neighbour(stack.url, stack.key("neighbour"))
    with neighbour.client() as client:
        batch_id = neighbour.submit(client, neighbour.file(client))
        client.get(f"/v1/batches/{batch_id}?wait=30").raise_for_status()
    watch = Watch(pid)
    if attack is None:
        _beside(neighbour, batch_id, seconds, watch)
    else:
        url = DataDirectory(stack.data).notes()["internal_api_url"] if attack.is_internal else stack.url
        target = Target(url, attack.path, attacker if attack.has_key else None)
        with going_on(attack.work, target, seconds + 1):
            _beside(neighbour, batch_id, seconds, watch)
    time.sleep(REST_SECONDS)
    return neighbour.figures() | {
        "api_before_mb": round(watch.before_mb, 1),
        "api_grew_by_at_most_mb": round(watch.most_mb - watch.before_mb, 1),
        "api_grew_in_the_end_mb": round(resident_kib(pid) / 1024 - watch.before_mb, 1),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=12.0, help="for each attack")
    parser.add_argument("--only", default="", help="attacks with these words in their names; the card keeps the others")
    parser.add_argument("--card", default="neighbours", help="name of the scorecard")
    arguments = parser.parse_args()
    kept = FOLDER / f"{arguments.card}.json"
    figures: dict[str, object] = {}
    if arguments.only and kept.exists():
        figures = json.loads(kept.read_text())["figures"]
    chosen: dict[str, Attack | None] = {NOBODY: None, **ATTACKS}
    with running_stack() as stack:
        attacker = stack.key("attacker")
        (pid,) = (pid for pid, kind in members(stack.pid) if kind == "api")
        for name, attack in chosen.items():
            if arguments.only in name:
                figures[name] = measure(stack, attack, attacker, pid, arguments.seconds)
                print(name, json.dumps(figures[name]), flush=True)
    figures["targets"] = {"poll_p99_ms": TARGET_POLL_P99_MS, "growth_mb": TARGET_GROWTH_MB}
    print(f"written to {write_scorecard(arguments.card, figures)}")


if __name__ == "__main__":
    main()
