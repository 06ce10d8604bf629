"""Reads PDFs with one other project's reader, in that project's own environment. Started by `bench.peers`.

    ENV/bin/python peer_readers.py NAME TASKS.json

TASKS.json is a list of `[pdf, markdown]` paths. Prints the CPU seconds of all of them as JSON, programs that
the reader starts included, without its import and its first document, which is read twice.
"""

import importlib
import json
import resource
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

Read = Callable[[Path], str]


def liteparse() -> Read:
    module: Any = importlib.import_module("liteparse")
    # Its default asks the network for models of text recognition.
    reader = module.LiteParse(ocr_enabled=False, quiet=True, output_format="markdown", num_workers=1)
    return lambda pdf: str(reader.parse(pdf).text)


def kreuzberg() -> Read:
    module: Any = importlib.import_module("kreuzberg")
    config = module.ExtractionConfig(output_format="markdown", use_cache=False)
    return lambda pdf: str(module.extract_file_sync(str(pdf), config=config).content)


def markitdown() -> Read:
    module: Any = importlib.import_module("markitdown")
    reader = module.MarkItDown(enable_plugins=False)
    return lambda pdf: str(reader.convert(str(pdf)).text_content)


def pymupdf4llm() -> Read:
    module: Any = importlib.import_module("pymupdf4llm")
    return lambda pdf: str(module.to_markdown(str(pdf), use_ocr=False))


def opendataloader() -> Read:
    module: Any = importlib.import_module("opendataloader_pdf")

    def read(pdf: Path) -> str:
        with tempfile.TemporaryDirectory() as folder:
            module.convert(input_path=[str(pdf)], output_dir=folder, format="markdown", quiet=True)
            return next(Path(folder).rglob("*.md")).read_text(encoding="utf-8")

    return read


PEERS: dict[str, Callable[[], Read]] = {
    "liteparse": liteparse,
    "kreuzberg": kreuzberg,
    "markitdown": markitdown,
    "pymupdf4llm": pymupdf4llm,
    "opendataloader-pdf": opendataloader,
}


def spent() -> float:
    return sum(
        usage.ru_utime + usage.ru_stime
        for usage in map(resource.getrusage, (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    )


def main() -> None:
    name, tasks = sys.argv[1], json.loads(Path(sys.argv[2]).read_text())
    read = PEERS[name]()
    failed = 0
    before, began = spent(), time.monotonic()
    for number, (pdf, markdown) in enumerate([tasks[0], *tasks]):
        if number == 1:
            before, began, failed = spent(), time.monotonic(), 0
        try:
            text = read(Path(pdf))
        # Foreign code: whatever it raises, the page counts as unread and the others are measured.
        except Exception as error:  # noqa: BLE001
            print(f"{name}: {pdf}: {type(error).__name__}: {error}", file=sys.stderr)
            text, failed = "", failed + 1
        Path(markdown).write_text(text, encoding="utf-8")
    print("\n" + json.dumps({"cpu_seconds": spent() - before, "seconds": time.monotonic() - began, "failed": failed}))


if __name__ == "__main__":
    main()
