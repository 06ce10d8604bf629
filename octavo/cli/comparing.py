"""`octavo compare`: the same documents read by several engines in turn, without a server."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from rich.table import Table

from octavo import wiring
from octavo.engines.contract import Source
from octavo.errors import DocumentError
from octavo.extraction.extractor import Extractor
from octavo.parse_options import ParseOptions
from octavo.render.comparison import Compared, render_comparison
from octavo.settings import read_settings


@dataclass(frozen=True, slots=True)
class Comparison:
    """The page with everything, and a table of costs for the terminal."""

    page: str
    table: Table


def compare(files: Sequence[Path], engines: Sequence[str], *, data: Path | None) -> Comparison:
    """Read every file with every engine. Raises UnknownEngine, SandboxUnavailable."""
    settings = read_settings(data)
    registry = wiring.engine_registry(settings)
    versions = {name: registry.resolve(name).version for name in engines}
    with wiring.extractor(settings) as reader:
        # Otherwise the time to load the parsers would count for the first document.
        reader.warm_up()
        found = [(file.name, [_read(reader, file, name, versions[name]) for name in engines]) for file in files]
    return Comparison(render_comparison(found), _table(found))


def _read(reader: Extractor, file: Path, engine: str, version: str) -> Compared:
    source = Source(path=file.resolve(), filename=file.name, size=file.stat().st_size)
    try:
        read = reader.extract(source, ParseOptions(engine=engine))
    except DocumentError as error:
        return Compared(engine, version, 0.0, error=error.message)
    return Compared(engine, version, read.seconds, document=read.document, images=read.images)


def _table(found: Sequence[tuple[str, Sequence[Compared]]]) -> Table:
    table = Table("document", "engine", "pages", "seconds a page", "tables", "headings")
    for name, compared in found:
        for each in compared:
            table.add_row(name, each.engine, *_figures(each))
    return table


def _figures(compared: Compared) -> tuple[str, ...]:
    document, seconds = compared.document, compared.seconds_per_page
    if document is None or seconds is None:
        return "-", "-", "-", compared.error or ""
    headings = sum(block.role in ("title", "heading") for block in document.blocks)
    return str(document.page_count), f"{seconds:.3f}", str(len(document.tables)), str(headings)
