"""Run the tests several times, beside busy loops if asked to, and list what failed.

    python -m scripts.repeat_tests --runs 5 --busy 2 [arguments of pytest]

A test that fails in one run of many leans on something: an idle machine, another test, an order.
"""

import argparse
import contextlib
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from xml.etree import ElementTree as ET

ROOT = Path(__file__).resolve().parent.parent
BUSY_LOOP = (sys.executable, "-c", "while True: pass")


@contextlib.contextmanager
def busy_loops(count: int) -> Iterator[None]:
    """Keep so many processes computing for as long as this is open."""
    loops = [subprocess.Popen(BUSY_LOOP) for _ in range(count)]
    try:
        yield
    finally:
        for loop in loops:
            loop.kill()
            loop.wait()


def failures(report: Path) -> list[str]:
    """Return the tests that failed or broke in a run, read from its JUnit report."""
    if not report.exists():
        return ["the run itself: it left no report"]
    cases = ET.parse(report).iter("testcase")  # noqa: S314 - pytest has written it
    return [
        f"{case.get('classname', '').replace('.', '/')}.py::{case.get('name')}"
        for case in cases
        if case.find("failure") is not None or case.find("error") is not None
    ]


def run(report: Path, arguments: list[str]) -> tuple[float, list[str]]:
    """Run the tests once; returns their wall time in seconds and what failed."""
    began = time.monotonic()
    words = " ".join([f"--junit-xml={report}", *arguments])
    ended = subprocess.run(["make", "test", f"ARGS={words}"], cwd=ROOT, check=False)
    failed = failures(report)
    if ended.returncode and not failed:
        failed = [f"the run itself: status {ended.returncode}"]
    return time.monotonic() - began, failed


def main() -> int:
    """Run, print a line per run and how often each test failed; returns 1 if any did."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0] if __doc__ else None)
    parser.add_argument("--runs", type=int, default=5, help="how many times (5)")
    parser.add_argument("--busy", type=int, default=0, help="processes that compute beside the tests (0)")
    given, arguments = parser.parse_known_args()
    lines, failed = [], Counter[str]()
    with tempfile.TemporaryDirectory(prefix="octavo-repeat-") as folder, busy_loops(given.busy):
        for number in range(1, given.runs + 1):
            seconds, found = run(Path(folder) / f"{number}.xml", arguments)
            lines.append(f"run {number}: {seconds:.0f} s, {len(found)} failed")
            failed.update(found)
    print(*lines, *(f"{count} of {given.runs}: {test}" for test, count in failed.most_common()), sep="\n")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
