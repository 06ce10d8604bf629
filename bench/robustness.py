"""Runs a folder of damaged and hostile files through the extractor; each must end in a result or a code.

    python -m bench.robustness --data DIR [--out SCORECARD.json]

Exits 1 if any file ended in anything else, or took longer than the limits allow.
"""

import argparse
import json
import sys
import time
from collections import Counter
from dataclasses import replace
from pathlib import Path

from octavo.engines.contract import Limits, Source
from octavo.engines.registry import EngineRegistry
from octavo.errors import DocumentError, OctavoError
from octavo.extraction.extractor import Extractor
from octavo.parse_options import ParseOptions

LIMITS = replace(Limits(), wall_seconds=120.0, page_seconds=30.0, cpu_seconds=120)


def run(path: Path, extractor: Extractor) -> dict[str, object]:
    """Extract one file and say how it ended."""
    started = time.monotonic()
    outcome, detail, pages, failed = "ok", "", 0, 0
    try:
        extraction = extractor.extract(Source(path, filename=path.name), ParseOptions())
        pages = extraction.document.page_count
        failed = sum(page.status == "failed" for page in extraction.document.pages)
        detail = "; ".join(extraction.warnings)[:160]
    except DocumentError as error:
        outcome, detail = error.code, error.message[:160]
    except OctavoError as error:
        outcome, detail = f"NOT A DOCUMENT ERROR: {error.code}", error.message[:160]
    return {
        "file": path.name,
        "bytes": path.stat().st_size,
        "outcome": outcome,
        "pages": pages,
        "failed_pages": failed,
        "seconds": round(time.monotonic() - started, 2),
        "detail": detail,
    }


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--out", type=Path)
    arguments = parser.parse_args()
    files = sorted(path for path in arguments.data.iterdir() if path.is_file())
    with Extractor(processes=1, limits=LIMITS, registry=EngineRegistry()) as extractor:
        extractor.warm_up()
        rows = [run(path, extractor) for path in files]
    for row in rows:
        print(f"{row['outcome']:22} {row['seconds']:>7} s {row['pages']:>4} p  {row['file']}  {row['detail']}")
    counts = Counter(str(row["outcome"]) for row in rows)
    print(dict(counts))
    if arguments.out:
        arguments.out.write_text(json.dumps({"outcomes": counts, "files": rows}, indent=1) + "\n")
    overdue = [row for row in rows if float(str(row["seconds"])) > 2 * LIMITS.wall_seconds]
    return 1 if overdue or any(outcome.startswith("NOT") for outcome in counts) else 0


if __name__ == "__main__":
    sys.exit(main())
