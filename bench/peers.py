"""The measures of `bench.quality`, applied to what other projects read from the same pages.

    python -m bench.peers --data DIR --folder DIR [--peers a,b] [--scorecard]

Makes an environment of its own in `--folder` and installs the others there, with pip as this machine has it
set up. Each reads the same single pages; the reports' pages with tables are cut out for them. One thread.
"""

import argparse
import importlib
import json
import os
import re
import subprocess
import sys
import venv
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from bench.peer_readers import PEERS
from bench.quality import Scored, samples_of, score, summary
from bench.scorecard import write_scorecard
from bench.truth import Sample
from octavo.engines.mupdf import pymupdf

# Since 2.0 pymupdf4llm is a part of pymupdf, and the package of that name is empty.
PACKAGES = {"markitdown": ["markitdown[pdf]"], "pymupdf4llm": ["pymupdf4llm", "pymupdf>=2,<3"]}
_PIPE_ROW = re.compile(r"^\s*\|.*\|\s*$")
_DIVIDER = re.compile(r"^\s*\|(?:\s*:?-+:?\s*\|)+\s*$")


def environment(folder: Path, names: Sequence[str]) -> Path:
    """Return the Python of an environment in which the peers are installed; made once."""
    python = folder / "env" / "bin" / "python"
    if not python.exists():
        venv.create(folder / "env", with_pip=True)
        wanted = [package for name in names for package in PACKAGES.get(name, [name])]
        subprocess.run([str(python), "-m", "pip", "install", "--quiet", *wanted], check=True)
    return python


def versions(python: Path, names: Sequence[str]) -> dict[str, str]:
    code = (
        "import json, sys; from importlib.metadata import version; "
        "print(json.dumps({name: version(name) for name in sys.argv[1:]}))"
    )
    told = subprocess.run([str(python), "-c", code, *names], check=True, capture_output=True, text=True)
    found: dict[str, str] = json.loads(told.stdout)
    return found


def single_pages(samples: Sequence[tuple[Sample, str]], folder: Path) -> Iterator[tuple[Sample, str]]:
    """Yield each page with a truth as a document of its own."""
    folder.mkdir(parents=True, exist_ok=True)
    for sample, kind in samples:
        for page_no, truth in sample.pages.items():
            path = folder / f"{sample.name}-{page_no}.pdf"
            if not path.exists():
                with pymupdf.open(sample.pdf) as whole, pymupdf.open() as single:
                    single.insert_pdf(whole, from_page=page_no - 1, to_page=page_no - 1)
                    single.save(path)
            yield Sample(path.stem, path, {1: truth}), kind


def tables_as_html(markdown: str) -> str:
    """Return Markdown with its pipe tables as HTML, as the truth has them."""
    lines: list[str] = []
    table: list[str] = []
    for line in [*markdown.splitlines(), ""]:
        if _PIPE_ROW.match(line):
            if not _DIVIDER.match(line):
                cells = re.split(r"(?<!\\)\|", line.strip().strip("|"))
                table.append("<tr>" + "".join(f"<td>{cell.strip()}</td>" for cell in cells) + "</tr>")
            continue
        if table:
            lines.append(f"<table>{''.join(table)}</table>")
            table = []
        lines.append(line)
    return "\n".join(lines)


def measure(python: Path, name: str, samples: Sequence[tuple[Sample, str]], folder: Path) -> dict[str, Any]:
    """Let a peer read all samples, and return its figures by kind of sample."""
    found: dict[str, Any] = {}
    for kind in ("pages", "tables"):
        chosen = [sample for sample, its_kind in samples if its_kind == kind]
        made = [(str(sample.pdf), str(folder / f"{sample.name}.md")) for sample in chosen]
        folder.mkdir(parents=True, exist_ok=True)
        tasks = folder / f"{kind}.json"
        tasks.write_text(json.dumps(made))
        script = importlib.import_module("bench.peer_readers").__file__ or ""
        one_thread = {"OMP_NUM_THREADS": "1", "OMP_THREAD_LIMIT": "1", "ORT_DISABLE_TELEMETRY": "1"}
        told = subprocess.run(
            [str(python), script, name, str(tasks)],
            stdout=subprocess.PIPE,
            text=True,
            check=True,
            env={**os.environ, **one_thread},
        )
        cost = json.loads(told.stdout.splitlines()[-1])
        scored = [
            _scored(sample, kind, Path(path), cost, len(chosen)) for sample, (_, path) in zip(chosen, made, strict=True)
        ]
        found[kind] = {**summary(scored), "failed": cost["failed"], "seconds_per_page": cost["seconds"] / len(chosen)}
    return found


def _scored(sample: Sample, kind: str, path: Path, cost: dict[str, float], pages: int) -> Scored:
    markdown = tables_as_html(path.read_text(encoding="utf-8"))
    return Scored(sample.name, kind, 1, cost["cpu_seconds"] / pages, score(kind, sample, {1: markdown}))


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--folder", type=Path, required=True)
    parser.add_argument("--peers", default=",".join(PEERS))
    parser.add_argument("--half", choices=("even", "odd"))
    parser.add_argument("--scorecard", action="store_true")
    arguments = parser.parse_args()
    names = arguments.peers.split(",")
    python = environment(arguments.folder, names)
    samples = list(
        single_pages(samples_of(arguments.data, arguments.half, ("pages", "tables")), arguments.folder / "pages")
    )
    figures: dict[str, Any] = {"versions": versions(python, names)}
    for name in names:
        try:
            figures[name] = measure(python, name, samples, arguments.folder / name)
        except subprocess.CalledProcessError as error:
            figures[name] = {"error": f"it ended with {error.returncode}"}
        print(name, json.dumps(figures[name]), flush=True)
    if arguments.scorecard:
        print(write_scorecard("peers", figures))
    return 0


if __name__ == "__main__":
    sys.exit(main())
