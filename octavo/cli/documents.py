"""`octavo extract`: one file through the extraction core, without a server."""

import json
from pathlib import Path

from octavo import wiring
from octavo.cli.terminal import err
from octavo.engines.contract import Source
from octavo.identifiers import ResultId
from octavo.parse_options import ParseOptions
from octavo.render.extract_page import render_extract_page
from octavo.render.figure_images import ImagesInMemory
from octavo.render.html import render_html
from octavo.render.markdown import render_markdown
from octavo.settings import read_settings


def extract(file: Path, *, as_format: str, engine: str | None, data: Path | None) -> str:
    """Return the rendered result. Raises DocumentError, UnknownEngine, SandboxUnavailable."""
    settings = read_settings(data)
    with wiring.extractor(settings) as reader:
        found = reader.extract(
            Source(path=file.resolve(), filename=file.name, size=file.stat().st_size),
            ParseOptions(engine=engine),
        )
    for warning in found.warnings:
        err.print(f"octavo: {warning}", style="yellow", markup=False)
    if as_format == "markdown":
        return render_markdown(found.document)
    if as_format == "html":
        return render_html(found.document, found.images)
    chunks = render_extract_page(
        found.document,
        ImagesInMemory(found.images),
        result_id=ResultId("local"),
        engine=f"{found.engine} {found.engine_version}",
    )
    return json.dumps(chunks, ensure_ascii=False, indent=1)
