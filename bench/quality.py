"""How well an engine reads pages with ground truth, and how many it reads per second of one core.

    python -m bench.quality --data DIR [--engine NAME] [--half even|odd] [--scorecard]

DIR holds `pages/pdf/NAME.pdf` with `pages/truth/NAME.md`, and `tables/NAME.pdf` with `tables/NAME-str.xml`.
NID, TEDS and MHS are defined in `measures.py`; overall is the mean of the three means over `pages`. The
reports of `tables` give TEDS over the pages that hold tables, each page for itself. CPU seconds are the
reading process's own and those of programs it has run, without start-up. `--half` takes every other page,
so that rules can be tuned on one half and checked on the other.
"""

import argparse
import hashlib
import importlib
import json
import resource
import sys
import tempfile
from collections.abc import Iterable, Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, field, replace
from multiprocessing import get_context
from pathlib import Path
from statistics import fmean
from typing import Any

from bench.measures import MEASURES, table_similarity
from bench.scorecard import write_scorecard
from bench.truth import Sample, reports_with_tables, typeset_pages
from octavo.documents import Block, Content, Document, Figure, Table
from octavo.engines.contract import Limits, Source
from octavo.engines.registry import EngineRegistry
from octavo.errors import DocumentError
from octavo.parse_options import ParseOptions
from octavo.render.grid import html_table
from octavo.render.markdown import render_markdown

WORST = 12


@dataclass(frozen=True, slots=True)
class Scored:
    """One document as an engine read it: measures by page, and what it cost."""

    name: str
    kind: str
    pages_read: int
    cpu_seconds: float
    scores: dict[int, dict[str, float | None]]
    error: str | None = None
    markdown: dict[int, str] = field(default_factory=dict)


class _Silent:
    def counted(self, pages: int) -> None:
        pass

    def working(self, pages: int) -> None:
        pass


def page_markdown(document: Document, page_no: int) -> str:
    """Return one page's Markdown with headers, footers and page numbers, which the truth has too."""
    return "\n\n".join(filter(None, (_text(document, part, page_no) for part in document.content())))


def _text(document: Document, content: Content, page_no: int) -> str:
    match content:
        case Table():
            return _part_of_page(content, page_no)
        case Figure():
            return ""
        case Block() if content.page_no != page_no:
            return ""
        case Block() if content.role in ("header", "footer", "page_number"):
            return content.text
        case Block():
            return render_markdown(Document(document.pages, blocks=(content,))).strip()


def _part_of_page(table: Table, page_no: int) -> str:
    """Return the rows of a table that stand on a page; a joined table has some on several."""
    if not table.merged_from_pages:
        return html_table(table) if table.page_no == page_no else ""
    cells = [cell for cell in table.cells if cell.page_no == page_no]
    if not cells:
        return ""
    first = min(cell.row for cell in cells)
    last = max(cell.row + cell.row_span for cell in cells)
    rows = tuple(replace(cell, row=cell.row - first) for cell in cells)
    return html_table(Table(page_no, 0, table.bbox, last - first, table.n_cols, rows))


def read(engine: str, sample: Sample, kind: str) -> Scored:
    """Let an engine read a document in this process, and measure every page with ground truth."""
    before = _cpu()
    try:
        with tempfile.TemporaryDirectory() as folder:
            document = (
                EngineRegistry.installed()
                .resolve(engine)
                .extract(Source(sample.pdf), ParseOptions(), Limits(), _Silent(), Path(folder))
                .document
            )
    except DocumentError as error:
        return Scored(sample.name, kind, 0, _cpu() - before, {}, error=str(error))
    spent = _cpu() - before
    markdown = {page_no: page_markdown(document, page_no) for page_no in sample.pages}
    return Scored(sample.name, kind, document.page_count, spent, score(kind, sample, markdown), markdown=markdown)


def score(kind: str, sample: Sample, markdown: dict[int, str]) -> dict[int, dict[str, float | None]]:
    """Measure what was found on each page that has a truth."""
    return {page_no: _remembered(kind, markdown[page_no], truth) for page_no, truth in sample.pages.items()}


def _remembered(kind: str, found: str, truth: str) -> dict[str, float | None]:
    """Measure unless the same was measured before: trees are expensive, and most pages stay the same."""
    code = Path(sys.modules["bench.measures"].__file__ or "").read_bytes()
    digest = hashlib.sha256(b"\0".join([code, kind.encode(), found.encode(), truth.encode()])).hexdigest()
    memory = Path(tempfile.gettempdir()) / "octavo-quality-memory" / digest
    if memory.exists():
        known: dict[str, float | None] = json.loads(memory.read_text())
        return known
    if kind == "pages":
        scores = {name: measure(found, truth) for name, measure in MEASURES.items()}
    else:
        scores = {
            "teds": table_similarity(found, truth),
            "teds_structure": table_similarity(found, truth, with_text=False),
        }
    memory.parent.mkdir(exist_ok=True)
    memory.write_text(json.dumps(scores))
    return scores


def _cpu() -> float:
    return sum(
        usage.ru_utime + usage.ru_stime
        for usage in map(resource.getrusage, (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    )


def summary(scored: Iterable[Scored]) -> dict[str, float | int | None]:
    """Return the means of each measure over the pages that have it, and the speed."""
    documents = list(scored)
    pages = [scores for document in documents for scores in document.scores.values()]
    names = list(pages[0]) if pages else []
    means = {name: _mean(page[name] for page in pages) for name in names}
    cpu = sum(document.cpu_seconds for document in documents)
    read_pages = sum(document.pages_read for document in documents)
    whole = [means.get(name) for name in MEASURES]
    overall = {"overall": _mean(whole)} if None not in whole else {}
    return {
        "documents": len(documents),
        "failed": sum(document.error is not None for document in documents),
        "pages": read_pages,
        **overall,
        **means,
        "pages_per_cpu_second": round(read_pages / cpu, 2) if cpu else None,
    }


def _mean(values: Iterable[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return round(fmean(known), 4) if known else None


def worst(scored: Iterable[Scored], name: str) -> Iterator[str]:
    """Yield a line for each of the pages where a measure is lowest."""
    pages = [
        (value, f"{document.name} page {page_no}")
        for document in scored
        for page_no, scores in document.scores.items()
        if (value := scores.get(name)) is not None
    ]
    for value, page in sorted(pages)[:WORST]:
        yield f"  {name} {value:.3f}  {page}"


def _run(task: tuple[str, Sample, str]) -> Scored:
    return read(*task)


def _preload(engine: str) -> None:
    EngineRegistry.installed().resolve(engine).preload()


def run(engine: str, samples: Iterable[tuple[Sample, str]], processes: int) -> list[Scored]:
    """Read all samples, in processes that have the engine loaded."""
    importlib.import_module("bench.measures")
    tasks = [(engine, sample, kind) for sample, kind in samples]
    context = get_context("fork")
    with ProcessPoolExecutor(processes, mp_context=context, initializer=_preload, initargs=(engine,)) as pool:
        return list(pool.map(_run, tasks))


def samples_of(data: Path, half: str | None, kinds: Iterable[str]) -> list[tuple[Sample, str]]:
    """Return the samples of a data folder with their kind, all or every other one."""
    found = {"pages": typeset_pages(data / "pages"), "tables": reports_with_tables(data / "tables")}
    chosen: list[tuple[Sample, str]] = []
    for kind in kinds:
        samples = list(found[kind])
        if half is not None:
            samples = samples[half == "odd" :: 2]
        chosen += [(sample, kind) for sample in samples]
    return chosen


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--engine", default="auto")
    parser.add_argument("--half", choices=("even", "odd"))
    parser.add_argument("--kinds", default="pages,tables")
    parser.add_argument("--name", default="", help="only documents whose name holds this")
    parser.add_argument("--processes", type=int, default=1)
    parser.add_argument("--keep", type=Path, help="folder for the Markdown of each page")
    parser.add_argument("--scorecard", action="store_true")
    arguments = parser.parse_args()
    chosen = samples_of(arguments.data, arguments.half, arguments.kinds.split(","))
    chosen = [(sample, kind) for sample, kind in chosen if arguments.name in sample.name]
    scored = run(arguments.engine, chosen, arguments.processes)
    figures: dict[str, Any] = {"engine": arguments.engine}
    for kind in arguments.kinds.split(","):
        of_kind = [document for document in scored if document.kind == kind]
        figures[kind] = summary(of_kind)
        for name in ("nid", "teds", "mhs"):
            print("\n".join(worst(of_kind, name)))
        for document in of_kind:
            if document.error:
                print(f"  failed {document.name}: {document.error}")
    if arguments.keep:
        arguments.keep.mkdir(parents=True, exist_ok=True)
        for document in scored:
            for page_no, markdown in document.markdown.items():
                (arguments.keep / f"{document.name}-{page_no}.md").write_text(markdown)
    print(json.dumps(figures, indent=1))
    if arguments.scorecard:
        half = f"-{arguments.half}" if arguments.half else ""
        print(write_scorecard(f"quality-{arguments.engine}{half}", figures))
    return 0


if __name__ == "__main__":
    sys.exit(main())
