"""The renderings by name: each makes bytes of a document that was read, and knows its own options.

What is read is stored once (octavo/parse_options.py). A rendering shows all of it or a part, in the form that a dialect
or a person asked for, and can be made at any time from the stored document.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from typing import ClassVar, Protocol

from octavo.batch_options import BatchOptions, ExtractPageOptions
from octavo.documents import Document
from octavo.identifiers import ResultId
from octavo.render.extract_page import render_extract_page
from octavo.render.figure_images import FigureImages
from octavo.render.html import render_html
from octavo.render.markdown import render_markdown


@dataclass(frozen=True, slots=True)
class RenderInput:
    """What every rendering is made from."""

    document: Document
    images: FigureImages
    engine: str
    """The engine that read the document, with its version."""
    result_id: ResultId | None = None
    """The stored result that large figures are linked to; None where nothing is stored."""


class Rendering(Protocol):
    """One way to show a document: a frozen record of its options."""

    name: ClassVar[str]
    media_type: ClassVar[str]

    def options(self) -> dict[str, object]:
        """Return the options that are not at their defaults, as plain JSON values."""
        ...

    def render(self, read: RenderInput) -> bytes:
        """Return the document as this rendering shows it."""
        ...


@dataclass(frozen=True, slots=True)
class _Shown:
    """Which contents are shown."""

    extract_text: bool = True
    """Without it there are no blocks and no tables."""
    extract_images: bool = True
    """Without it there are no figures."""

    def options(self) -> dict[str, object]:
        values = {one.name: (getattr(self, one.name), one.default) for one in fields(self)}
        return {name: value for name, (value, default) in values.items() if value != default}

    def _part(self, document: Document) -> Document:
        if not self.extract_text:
            document = replace(document, blocks=(), tables=())
        return document if self.extract_images else replace(document, figures=())


@dataclass(frozen=True, slots=True)
class ExtractPage(_Shown):
    """The result of the extract.page dialect, as JSON."""

    name: ClassVar[str] = "extract-page"
    media_type: ClassVar[str] = "application/json"

    def render(self, read: RenderInput) -> bytes:
        chunks = render_extract_page(
            read.document,
            read.images,
            result_id=read.result_id,
            engine=read.engine,
            extract_text=self.extract_text,
            extract_images=self.extract_images,
        )
        return json.dumps(chunks, ensure_ascii=False, separators=(",", ":")).encode()


@dataclass(frozen=True, slots=True)
class Markdown(_Shown):
    """Markdown for people and language models."""

    name: ClassVar[str] = "markdown"
    media_type: ClassVar[str] = "text/markdown"

    def render(self, read: RenderInput) -> bytes:
        return render_markdown(self._part(read.document)).encode()


@dataclass(frozen=True, slots=True)
class Html(_Shown):
    """A web page that needs nothing else; figures beyond the limits are named, not shown."""

    title: str = "Document"
    most_figures: int = 200
    most_figure_bytes: int = 32 * 1024**2
    """Of all figures together."""
    name: ClassVar[str] = "html"
    media_type: ClassVar[str] = "text/html"

    def render(self, read: RenderInput) -> bytes:
        document = self._part(read.document)
        return render_html(document, self._images(document, read.images), title=self.title).encode()

    def _images(self, document: Document, images: FigureImages) -> list[bytes]:
        """Return the images by index, empty for those that are not shown."""
        indexes = sorted({figure.image_index for figure in document.figures})
        found = [b""] * (1 + max(indexes, default=-1))
        left = self.most_figure_bytes
        for index in indexes[: self.most_figures]:
            try:
                if images.size(index) <= left:
                    found[index] = images.read(index)
            except KeyError:
                continue
            left -= len(found[index])
        return found


_KINDS: Mapping[str, type[ExtractPage] | type[Markdown] | type[Html]] = {
    kind.name: kind for kind in (ExtractPage, Markdown, Html)
}
NAMES = tuple(_KINDS)
"""The names of all renderings."""


def rendering_of(options: BatchOptions) -> ExtractPage:
    """Return the rendering that a batch asked for. Raises ValueError for a dialect that has none."""
    shown = options.shown
    if not isinstance(shown, ExtractPageOptions):
        raise ValueError(f"there is no rendering for the dialect {options.dialect}")
    return ExtractPage(extract_text=shown.extract_text, extract_images=shown.extract_images)


def rendering(name: str, options: Mapping[str, object]) -> Rendering:
    """Return a rendering by its name and its options. Raises ValueError for an unknown name or option."""
    kind = _KINDS.get(name)
    if kind is None:
        raise ValueError(f"no rendering {name!r}; one of {', '.join(NAMES)}")
    defaults = {one.name: one.default for one in fields(kind)}
    for option, value in options.items():
        if option not in defaults or type(value) is not type(defaults[option]):
            raise ValueError(f"{name} has no option {option}={value!r}")
    return kind(**options)  # type: ignore[arg-type] # checked just now
