"""Sends bombs through the sandbox, with good documents beside them: each must end within its limits.

    python -m bench.bombs [--only NAME ...]

Prints for each how it ended, seconds, processor seconds, and the most memory that all processes together took
meanwhile; how many good documents were read beside it, and the slowest of them. Exits 1 if one ended in anything
but a result or a listed code, over its limits, if a good document failed, or if anything was called.
"""

import argparse
import json
import os
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from tempfile import TemporaryDirectory

from bench.bomb_pdfs import IMAGES, PDFS
from bench.bomb_texts import TEXTS
from bench.processes import members
from bench.scorecard import write_scorecard
from octavo import wiring
from octavo.engines.contract import Limits, Source
from octavo.engines.registry import EngineRegistry
from octavo.errors import DocumentError
from octavo.extraction.extractor import Extractor
from octavo.identifiers import ResultId
from octavo.parse_options import ParseOptions
from octavo.render.extract_page import render_extract_page
from octavo.render.figure_images import ImagesInMemory
from octavo.samples import make_report, make_two_columns
from octavo.settings import Settings

PLACES = 2
MIB = 1024**2
# As docs/explain/sandbox.md has it.
DOCUMENT_MIB, WORKER_MIB = 1536, 3072
SAMPLE_SECONDS = 0.1
SLACK_SECONDS = 15.0
TYPES = {
    ".txt": "text/plain",
    ".csv": "text/csv",
    ".md": "text/markdown",
    ".html": "text/html",
    ".svg": "image/svg+xml",
    ".eml": "message/rfc822",
    ".rtf": "application/rtf",
}
Make = Callable[[Path], None]


@dataclass(frozen=True, slots=True)
class End:
    """How a bomb ended, and what it cost. `owner_mib` is what its owner holds of that memory."""

    name: str
    bytes: int
    code: str
    detail: str
    seconds: float
    cpu_seconds: float
    most_mib: int
    owner_mib: int
    good: int
    good_slowest: float
    troubles: list[str] = field(default_factory=list)


class Neighbour:
    """Reads good documents, one after the other, until told to stop, and checks their results."""

    def __init__(self, extractor: Extractor, paths: list[Path]) -> None:
        self._extractor = extractor
        self._good = {path: self._read(path) for path in paths}
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run)
        self.read = 0
        self.slowest = 0.0
        self.troubles: list[str] = []

    def __enter__(self) -> "Neighbour":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join()

    def _read(self, path: Path) -> str:
        return self._extractor.extract(Source(path, filename=path.name), ParseOptions()).document.to_json()

    def _run(self) -> None:
        while not self._stop.is_set():
            for path, wanted in self._good.items():
                began = time.monotonic()
                try:
                    if self._read(path) != wanted:
                        self.troubles.append(f"{path.name} came out otherwise")
                except Exception as error:  # noqa: BLE001 - whatever it is, it must not happen
                    self.troubles.append(f"{path.name}: {type(error).__name__}: {error}")
                self.read += 1
                self.slowest = max(self.slowest, time.monotonic() - began)


class Meter:
    """Samples the memory of this process and all its descendants, ten times a second."""

    def __init__(self, pid: int) -> None:
        self._pid = pid
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run)
        self._before = cpu_seconds(pid)
        self.most_mib = self.owner_mib = 0

    def __enter__(self) -> "Meter":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join()

    @property
    def cpu_seconds(self) -> float:
        return cpu_seconds(self._pid) - self._before

    def _run(self) -> None:
        while True:
            kib = {pid: proportional_kib(pid) for pid, _ in members(self._pid)}
            if sum(kib.values()) // 1024 > self.most_mib:
                self.most_mib, self.owner_mib = sum(kib.values()) // 1024, kib.get(self._pid, 0) // 1024
            if self._stop.wait(SAMPLE_SECONDS):
                return


def proportional_kib(pid: int) -> int:
    """Return the proportional memory of a process; 0 for one that has ended."""
    try:
        lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    except OSError:
        return 0
    return sum(int(line.split()[1]) for line in lines if line.startswith("Pss:"))


def cpu_seconds(pid: int) -> float:
    """Return the processor time of a process, its descendants, and those of them that have ended."""
    total = 0
    for member, _ in members(pid):
        try:
            fields = Path(f"/proc/{member}/stat").read_text().rpartition(")")[2].split()
        except OSError:
            continue
        total += sum(int(number) for number in fields[11:15])
    return total / 100


@contextmanager
def listening() -> Iterator[tuple[str, list[str]]]:
    """Yield an address and the list of requests made to it."""
    asked: list[str] = []

    class Answer(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked.append(self.path)
            self.send_error(404)

        def log_message(self, *_: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Answer) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}", asked
        finally:
            server.shutdown()
            thread.join()


def read_bomb(extractor: Extractor, path: Path) -> tuple[str, str]:
    """Return how a document ends: a code and a message."""
    source = Source(path, filename=path.name, content_type=TYPES.get(path.suffix), size=path.stat().st_size)
    try:
        extraction = extractor.extract(source, ParseOptions())
        chunks = render_extract_page(
            extraction.document,
            ImagesInMemory(extraction.images),
            result_id=ResultId("res_bomb"),
            engine="auto 1",
        )
        told = f"{extraction.document.page_count} pages, {len(chunks['chunks'])} chunks"
        return "ok", "; ".join([told, *extraction.warnings[:2]])
    except DocumentError as error:
        return error.code, error.message
    except Exception as error:  # noqa: BLE001 - whatever else comes out is what this bench looks for
        return f"UNLISTED {type(error).__name__}", str(error)


def bound_mib(limits: Limits) -> int:
    """Return how much memory a worker with that many documents at once may take, in all its processes."""
    return PLACES * (limits.memory_bytes // MIB + DOCUMENT_MIB) + WORKER_MIB


def set_off(name: str, path: Path, extractor: Extractor, limits: Limits, good: list[Path]) -> End:
    """Read a bomb, good documents beside it."""
    with Neighbour(extractor, good) as neighbour, Meter(os.getpid()) as meter:
        began = time.monotonic()
        code, detail = read_bomb(extractor, path)
        seconds = time.monotonic() - began
        cpu = meter.cpu_seconds
    troubles = list(neighbour.troubles)
    if code.startswith("UNLISTED"):
        troubles.append(code)
    if seconds > limits.wall_seconds + SLACK_SECONDS:
        troubles.append("it took longer than is allowed")
    if meter.most_mib > bound_mib(limits):
        troubles.append(f"all processes together took {meter.most_mib} MiB, more than {bound_mib(limits)}")
    return End(
        name=name,
        bytes=path.stat().st_size,
        code=code,
        detail=detail[:200],
        seconds=round(seconds, 1),
        cpu_seconds=round(cpu, 1),
        most_mib=meter.most_mib,
        owner_mib=meter.owner_mib,
        good=neighbour.read,
        good_slowest=round(neighbour.slowest, 2),
        troubles=troubles,
    )


def all_bombs(here: str) -> Mapping[str, Make]:
    """Return every bomb by its file name; some name the address `here`."""
    return {**PDFS, **IMAGES, **{name: partial(_at, make, here) for name, make in TEXTS.items()}}


def _at(make: Callable[[Path, str], None], here: str, path: Path) -> None:
    make(path, here)


def run(names: list[str], folder: Path) -> tuple[list[End], list[str]]:
    """Read the bombs of these names, all if none are given; return how they ended and which requests were made."""
    limits = wiring.limits(Settings())
    good = [folder / "report.pdf", folder / "columns.pdf"]
    make_report(good[0])
    make_two_columns(good[1])
    ends = []
    with (
        listening() as (here, asked),
        Extractor(processes=PLACES, limits=limits, registry=EngineRegistry()) as extractor,
    ):
        for name, make in all_bombs(here).items():
            if names and name not in names:
                continue
            path = folder / name
            make(path)
            end = set_off(name, path, extractor, limits, good)
            path.unlink()
            ends.append(end)
            print(
                f"{end.code:22} {end.seconds:6.1f} s {end.cpu_seconds:6.1f} cpu {end.most_mib:5} MiB "
                f"{end.good:4} good, {end.good_slowest:5.2f} s  {name} ({end.bytes:,})  {end.detail}"
            )
            for trouble in end.troubles:
                print(f"    TROUBLE: {trouble}")
            sys.stdout.flush()
        print(f"children that failed: {extractor.child_failures}; calls: {asked}")
    return ends, asked


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", nargs="*", default=[], help="names of bombs")
    arguments = parser.parse_args()
    with TemporaryDirectory() as folder:
        ends, asked = run(arguments.only, Path(folder))
    figures = {
        "bombs": len(ends),
        "codes": dict(Counter(end.code for end in ends).most_common()),
        "troubles": sum(len(end.troubles) for end in ends),
        "calls": len(asked),
        "most_mib": max(end.most_mib for end in ends),
        "bound_mib": bound_mib(wiring.limits(Settings())),
        "slowest_seconds": max(end.seconds for end in ends),
        "good_documents": sum(end.good for end in ends),
        "good_slowest_seconds": max(end.good_slowest for end in ends),
        "ends": [asdict(end) for end in ends],
    }
    print(json.dumps({name: value for name, value in figures.items() if name != "ends"}, indent=1))
    if not arguments.only:
        print(f"written to {write_scorecard('bombs', figures)}")
    return 1 if figures["troubles"] or asked else 0


if __name__ == "__main__":
    sys.exit(main())
