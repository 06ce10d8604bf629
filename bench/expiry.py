"""How soon results are deleted after their retention: `python -m bench.expiry [--items N]`.

A batch's results are kept for 30 s here. Every result is asked for again and again around its last second: an answer
that leads to bytes after that second is wrong, so is a 410 before it. And the storage's folder is looked at: how long
after its end the bytes of a result are still there. The aim is a minute.
"""

import argparse
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory

import httpx

from bench.dispatch import moment
from bench.scorecard import write_scorecard
from bench.service import Running, running_stack
from bench.small_documents import distinct_texts, upload
from octavo.client.customer import CustomerClient
from octavo.identifiers import random_part

RETENTION_SECONDS = 30
LIMIT_SECONDS = 180.0
LOOK_SECONDS = 0.1
ASKERS = 4
TARGET_SECONDS = 60.0


@dataclass
class Answers:
    """What was answered around the last second of each result."""

    early: int = 0
    """Refused before the result expired, by more than the clocks' resolution."""
    late: int = 0
    """Led to bytes although the result had expired when it was requested."""
    asked: int = 0
    after: int = 0
    """Of these, asked within a second after the end."""
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def note(self, asked_at: float, answered_at: float, ends_at: float, status: int) -> None:
        """Take one answer; times are seconds of the wall clock, which the service reads as well."""
        with self._lock:
            self.asked += 1
            self.after += 0 <= asked_at - ends_at <= 1
            self.early += status != 302 and answered_at < ends_at
            self.late += status == 302 and asked_at >= ends_at


def ask_around(stack: Running, key: str, ends: list[tuple[float, str]], answers: Answers) -> None:
    """Request results, those that expire next first, from a second before until they are refused."""
    with httpx.Client(base_url=stack.url, headers={"X-API-KEY": key}, trust_env=False, timeout=20) as client:
        for ends_at, url in ends:
            time.sleep(max(0.0, ends_at - 0.05 - time.time()))
            status = 302
            while status == 302 and time.time() < ends_at + 5:
                asked_at = time.time()
                status = client.get(url).status_code
                answers.note(asked_at, time.time(), ends_at, status)


def watch_bytes(folder: Path, ends: list[float]) -> dict[str, float]:
    """Wait until no result is left; return how long after its end the last byte of one was there, at worst."""
    worst, limit = 0.0, ends[-1] + LIMIT_SECONDS
    while time.time() < limit:
        left = sum(any(path.is_file() for path in one.rglob("*")) for one in folder.glob("results/*/*"))
        at = time.time()
        if not left:
            return {"worst_seconds": round(worst, 1), "last_gone_after_seconds": round(at - ends[-1], 1)}
        # They go in the order of their ends: the oldest that is left has as many before it as are gone.
        worst = max(worst, at - ends[len(ends) - left])
        time.sleep(LOOK_SECONDS)
    raise TimeoutError(f"results are still there {LIMIT_SECONDS:.0f} s after their end")


def measure(stack: Running, folder: Path, items: int) -> dict[str, object]:
    key = stack.key("forgetful")
    with CustomerClient(stack.url, key) as client:
        file_ids = upload(client, distinct_texts(folder, items))
        batch = client.submit(file_ids, engine="sleep:0", idempotency_key=random_part())
        found = {item["id"]: item for page in client.follow(batch["id"]) for item in page["items"]}
    ends = sorted(
        (moment(item["completed_at"]) + RETENTION_SECONDS, item["result_url"])
        for item in found.values()
        if item["status"] == "succeeded"
    )
    assert len(ends) == items, f"{len(ends)} of {items} succeeded"
    answers = Answers()
    # Every fifth: each takes some of a second of its asker's time.
    asked = [ends[number::ASKERS][::5] for number in range(ASKERS)]
    with ThreadPoolExecutor(ASKERS + 1) as pool:
        gone = pool.submit(watch_bytes, stack.data / "objects" / "octavo", [ends_at for ends_at, _ in ends])
        for asking in [pool.submit(ask_around, stack, key, part, answers) for part in asked]:
            asking.result()
        seconds = gone.result()
    return {
        "results": items,
        "retention_seconds": RETENTION_SECONDS,
        "answers": answers.asked,
        "answers_within_a_second_after_the_end": answers.after,
        "wrong_after_the_end": answers.late,
        "wrong_before_the_end": answers.early,
        "bytes_gone": {**seconds, "target_seconds": TARGET_SECONDS},
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--items", type=int, default=1000)
    arguments = parser.parse_args()
    with (
        TemporaryDirectory() as folder,
        running_stack(OCTAVO_LIMITS__RETENTION_SECONDS=str(RETENTION_SECONDS)) as stack,
    ):
        figures = measure(stack, Path(folder), arguments.items)
    print(figures)
    print(f"written to {write_scorecard('expiry', figures)}")


if __name__ == "__main__":
    main()
