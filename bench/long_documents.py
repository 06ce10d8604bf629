"""What a child needs for a long document: `python -m bench.long_documents --data DIR [--pages N]`.

The first pages of the PDFs below DIR, over and over, make one document of N pages. Each engine reads it in a fresh
child; told are the most memory the child had resident, what is mapped beyond its start, and the pages a second.
"""

import argparse
import time
from pathlib import Path
from tempfile import TemporaryDirectory

from bench.scorecard import write_scorecard
from octavo.engines.contract import Limits, Source
from octavo.engines.mupdf import pymupdf
from octavo.engines.observer import ReadingObserver
from octavo.engines.registry import EngineRegistry
from octavo.engines.sandbox.pool import ChildPool, PoolSize
from octavo.parse_options import ParseOptions

TARGET_MIB = 1024
LIMITS = Limits(wall_seconds=7200, cpu_seconds=7200)
KEEP_SECONDS = 20.0


def make_long(data: Path, pages: int, path: Path) -> int:
    """Write the document and return from how many files it is made."""
    files = sorted(data.rglob("*.pdf"))
    with pymupdf.open() as whole:
        while whole.page_count < pages:
            for file in files[: pages - whole.page_count]:
                with pymupdf.open(file) as one:
                    whole.insert_pdf(one, from_page=0, to_page=0)
        whole.save(path)
    return len(files)


def mebibytes(pid: int, name: str) -> int:
    """Return a figure of a process as reported by the kernel."""
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith(f"{name}:"):
            return int(line.split()[1]) // 1024
    raise LookupError(name)


class Keeping(ReadingObserver):
    """Counts what is kept."""

    keep_seconds = KEEP_SECONDS

    def __init__(self) -> None:
        self.pieces: list[int] = []

    def keep(self, data: bytes) -> None:
        self.pieces.append(len(data))


def read(pool: ChildPool, path: Path, engine: str) -> dict[str, object]:
    """Return what one engine needed."""
    observer = Keeping()
    with pool.child(fresh=True) as child:
        at_start = mebibytes(child.pid, "VmSize")
        began = time.monotonic()
        found = child.read(Source(path), ParseOptions(engine=engine), observer)
        seconds = time.monotonic() - began
        return {
            "peak_resident_mib": mebibytes(child.pid, "VmHWM"),
            "peak_mapped_beyond_start_mib": mebibytes(child.pid, "VmPeak") - at_start,
            "seconds": round(seconds, 1),
            "document_mib": round(len(found.document_json) / 1024**2, 1),
            "pieces_kept": len(observer.pieces),
            "kept_mib": round(sum(observer.pieces) / 1024**2, 1),
        }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--pages", type=int, default=1000)
    parser.add_argument("--engines", default="fast,layout,auto")
    arguments = parser.parse_args()
    with TemporaryDirectory() as folder:
        path = Path(folder) / "long.pdf"
        files = make_long(arguments.data, arguments.pages, path)
        pool = ChildPool(PoolSize(processes=1), limits=LIMITS, registry=EngineRegistry.installed())
        try:
            engines = {engine: read(pool, path, engine) for engine in arguments.engines.split(",")}
        finally:
            pool.close()
    figures = {"pages": arguments.pages, "files": files, "target_mib": TARGET_MIB, "engines": engines}
    for name, value in figures.items():
        print(f"{name}: {value}")
    print(f"written to {write_scorecard('long_documents', figures)}")


if __name__ == "__main__":
    main()
