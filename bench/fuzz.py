"""Mutated documents through the sandbox: each must end in a result or a listed code.

    python -m bench.fuzz [--count 10000] [--seed 1] [--data DIR] [--keep DIR] [--processes N]

Mutates the documents of `bench.seeds` and those below DIR, as far as there is a reader for them. What was done
is noted in the folder `--keep`, so that a run that was broken off goes on where it was; there, too, is every
document on which a child crashed or was overdue, or that ended in anything else than a result or a listed code.
`--only N` reads one mutant again. Exits 1 if there was one of the last kind.
"""

import argparse
import json
import os
import sys
import time
from collections import Counter
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor, as_completed
from contextlib import ExitStack
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from queue import SimpleQueue
from tempfile import gettempdir

from bench.mutations import Mutant, mutant
from bench.scorecard import write_scorecard
from bench.seeds import Seed, fingerprint, given_seeds, own_seeds
from octavo.engines.contract import Limits, Source
from octavo.engines.registry import EngineRegistry
from octavo.errors import DocumentError, UnsupportedInput
from octavo.extraction.extraction import Extraction
from octavo.extraction.extractor import Extractor
from octavo.identifiers import ResultId
from octavo.parse_options import ParseOptions
from octavo.render.extract_page import render_extract_page
from octavo.render.figure_images import ImagesInMemory
from octavo.render.html import render_html
from octavo.render.markdown import render_markdown

LIMITS = replace(Limits(), wall_seconds=20.0, page_seconds=8.0, cpu_seconds=20, memory_bytes=1024**3, max_pages=50)
PROGRESS_EVERY = 200
SLOWEST = 5


@dataclass(frozen=True, slots=True)
class End:
    """How a mutant ended: `code` is `ok`, a listed code, or something that must not happen."""

    number: int
    seed: str
    mutations: tuple[str, ...]
    code: str
    seconds: float
    crashed: int
    overdue: int
    detail: str = ""

    @property
    def is_listed(self) -> bool:
        return not self.code.startswith("UNLISTED")

    @property
    def is_worth_keeping(self) -> bool:
        return not self.is_listed or bool(self.crashed or self.overdue)


class Run:
    """Reads mutants, one at a time per extractor, each of which has a child."""

    def __init__(self, seed: int, seeds: list[Seed], keep: Path, extractors: Iterable[Extractor]) -> None:
        self._seed = seed
        self._seeds = seeds
        self._keep = keep
        self._free: SimpleQueue[Extractor] = SimpleQueue()
        for extractor in extractors:
            self._free.put(extractor)

    def read(self, number: int) -> End:
        """Read one mutant; keep it if its end is worth a look."""
        made = mutant(self._seed, number, self._seeds)
        path = self._keep / made.name
        path.write_bytes(made.data)
        extractor = self._free.get()
        try:
            end = _read(number, made, path, extractor)
        finally:
            self._free.put(extractor)
        if not end.is_worth_keeping:
            path.unlink()
        return end


def _read(number: int, made: Mutant, path: Path, extractor: Extractor) -> End:
    before, began = extractor.child_failures, time.monotonic()
    code, detail = "ok", ""
    try:
        _rendered(extractor.extract(Source(path, filename=made.name), ParseOptions()))
    except DocumentError as error:
        code, detail = error.code, error.message
    except Exception as error:  # noqa: BLE001 - whatever else comes out is what this bench looks for
        code, detail = f"UNLISTED {type(error).__name__}", str(error)
    seconds, after = time.monotonic() - began, extractor.child_failures
    crashed, overdue = (after.get(kind, 0) - before.get(kind, 0) for kind in ("child_died", "child_overdue"))
    return End(number, made.seed, made.mutations, code, round(seconds, 3), crashed, overdue, detail[:300])


def _rendered(extraction: Extraction) -> None:
    """Make every rendering of the result: none may fail, whatever the document contains."""
    document, images = extraction.document, extraction.images
    chunks = render_extract_page(
        document, images=ImagesInMemory(images), result_id=ResultId("res_fuzz"), engine="auto 1"
    )
    json.dumps(chunks, ensure_ascii=False).encode()
    render_markdown(document).encode()
    render_html(document, images).encode()


def _noted(notes: Path) -> Iterator[End]:
    """Yield the ends that an earlier run has recorded; a truncated last line is repeated."""
    for line in notes.read_text().splitlines() if notes.exists() else ():
        try:
            found = json.loads(line)
        except ValueError:
            continue
        yield End(**{**found, "mutations": tuple(found["mutations"])})


def figures(ends: list[End], seeds: int) -> dict[str, object]:
    """Return what goes into the scorecard."""
    slowest = sorted(ends, key=lambda end: -end.seconds)[:SLOWEST]
    seconds = sorted(end.seconds for end in ends)
    return {
        "documents": len(ends),
        "seeds": seeds,
        "codes": dict(Counter(end.code for end in ends).most_common()),
        "unlisted": sum(not end.is_listed for end in ends),
        "crashed_children": sum(end.crashed for end in ends),
        "documents_that_crashed_a_child": sum(end.crashed > 0 for end in ends),
        "overdue_children": sum(end.overdue for end in ends),
        "seconds_median": seconds[len(seconds) // 2] if seconds else 0.0,
        "seconds_most": seconds[-1] if seconds else 0.0,
        "slowest": [
            f"{end.number} {end.seed} {'+'.join(end.mutations)}: {end.seconds} s, {end.code}" for end in slowest
        ],
        "by_kind": _by_kind(ends),
    }


def _by_kind(ends: list[End]) -> dict[str, dict[str, int]]:
    """Return for each kind of file how its mutants ended."""
    counted: dict[str, Counter[str]] = {}
    for end in ends:
        counted.setdefault(Path(end.seed).suffix.lower(), Counter())[end.code] += 1
    return {kind: dict(found) for kind, found in sorted(counted.items())}


def readable(seeds: list[Seed], extractor: Extractor, folder: Path) -> list[Seed]:
    """Return the seeds that are of a format which is read here."""
    found = []
    for seed in seeds:
        path = folder / seed.name
        path.write_bytes(seed.data)
        try:
            extractor.extract(Source(path, filename=seed.name), ParseOptions())
        except UnsupportedInput:
            print(f"there is no reader for {seed.name}")
            continue
        except DocumentError:
            pass
        finally:
            path.unlink()
        found.append(seed)
    return found


def read_all(run: Run, numbers: list[int], notes: Path, processes: int) -> list[End]:
    """Read the mutants of these numbers, noting each as it ends."""
    ends: list[End] = []
    with notes.open("a") as noted, ThreadPoolExecutor(processes) as threads:
        for future in as_completed([threads.submit(run.read, number) for number in numbers]):
            end = future.result()
            ends.append(end)
            noted.write(json.dumps(asdict(end)) + "\n")
            noted.flush()
            if end.is_worth_keeping:
                print(f"{end.number:6} {end.seed} {'+'.join(end.mutations)}: {end.code}, {end.seconds} s, {end.detail}")
            if len(ends) % PROGRESS_EVERY == 0:
                codes = dict(Counter(end.code for end in ends).most_common())
                print(f"{len(ends)} of {len(numbers)}: {codes}", flush=True)
    return ends


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--count", type=int, default=10_000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--data", type=Path, help="further documents to mutate")
    parser.add_argument(
        "--keep", type=Path, default=Path(gettempdir(), "octavo-fuzz"), help="folder for notes and failing documents"
    )
    parser.add_argument("--processes", type=int, default=os.cpu_count() or 1)
    parser.add_argument("--only", type=int, help="number of the one mutant to read")
    arguments = parser.parse_args()
    arguments.keep.mkdir(parents=True, exist_ok=True)
    with ExitStack() as stack:
        extractors = [
            stack.enter_context(Extractor(processes=1, limits=LIMITS, registry=EngineRegistry()))
            for _ in range(arguments.processes)
        ]
        seeds = own_seeds() + (given_seeds(arguments.data) if arguments.data else [])
        seeds = readable(seeds, extractors[0], arguments.keep)
        run = Run(arguments.seed, seeds, arguments.keep, extractors)
        if arguments.only is not None:
            print(run.read(arguments.only))
            return 0
        # The same number is another document with other seeds.
        notes = arguments.keep / f"seed-{arguments.seed}-{fingerprint(seeds)}.jsonl"
        done = {end.number: end for end in _noted(notes)}
        missing = [number for number in range(arguments.count) if number not in done]
        for end in read_all(run, missing, notes, arguments.processes):
            done[end.number] = end
    found = figures([done[number] for number in sorted(done) if number < arguments.count], len(seeds))
    print(json.dumps(found, indent=1))
    print(f"written to {write_scorecard('fuzz', {'seed': arguments.seed, **found})}")
    return 1 if found["unlisted"] else 0


if __name__ == "__main__":
    sys.exit(main())
