"""Document -> the result of the extract.page dialect: a flat list of chunks in reading order."""

import base64
from typing import Any

from octavo.documents import Block, Box, Cell, Document, Figure, Page, Table
from octavo.identifiers import ResultId
from octavo.render.figure_images import FigureImages
from octavo.render.grid import markdown_grid

MAX_INLINE_IMAGE_BYTES = 256 * 1024
"""Larger figures are linked, so that a result stays small enough to read at once."""

Json = dict[str, Any]


def render_extract_page(
    document: Document,
    images: FigureImages,
    *,
    result_id: ResultId | None,
    engine: str,
    extract_text: bool = True,
    extract_images: bool = True,
) -> Json:
    """Return the result as JSON-ready values.

    Figures up to 256 KiB are inline, larger ones are linked as `/v1/results/{result_id}/images/{image_index}`. Without
    a `result_id` nothing is stored, and all are inline. Without `extract_text` only image chunks remain.
    """
    chunks: list[Json] = []
    for content in document.content():
        if isinstance(content, Figure):
            if extract_images:
                chunks.append(_image_chunk(content, images, result_id))
        elif extract_text:
            chunks.append(_text_chunk(content) if isinstance(content, Block) else _table_chunk(content))
    return {
        "object": "extraction",
        "page_count": document.page_count,
        "pages": [_page(page, extract_text) for page in document.pages],
        "engine": engine,
        "warnings": list(document.warnings),
        "chunks": chunks,
    }


def _page(page: Page, shows_text: bool) -> Json:
    return {
        "page_no": page.page_no,
        "width": page.width,
        "height": page.height,
        "rotation": page.rotation,
        # Of the text that is shown: a page without text says nothing of how it was read.
        "ocr": page.ocr and shows_text,
        "status": page.status,
    }


def _chunk(kind: str, text: str, page_no: int, box: Box) -> Json:
    return {"page_content": text, "page_no": page_no, "bbox": list(box.as_tuple()), "chunk_type": kind}


def _text_chunk(block: Block) -> Json:
    chunk = _chunk("text", block.text, block.page_no, block.bbox)
    chunk["role"] = block.role
    if block.level is not None:
        chunk["level"] = block.level
    if block.confidence is not None:
        chunk["confidence"] = block.confidence
    if block.continues:
        chunk["continues"] = True
    return chunk


def _table_chunk(table: Table) -> Json:
    chunk = _chunk("table", markdown_grid(table), table.page_no, table.bbox)
    chunk |= {"n_rows": table.n_rows, "n_cols": table.n_cols, "cells": [_cell(cell) for cell in table.cells]}
    if table.merged_from_pages:
        chunk["merged_from_pages"] = list(table.merged_from_pages)
    return chunk


def _cell(cell: Cell) -> Json:
    rendered: Json = {
        "text": cell.text,
        "row": cell.row,
        "col": cell.col,
        "row_span": cell.row_span,
        "col_span": cell.col_span,
        "bbox": list(cell.bbox.as_tuple()),
        "page_no": cell.page_no,
    }
    if cell.confidence is not None:
        rendered["confidence"] = cell.confidence
    return rendered


def _image_chunk(figure: Figure, images: FigureImages, result_id: ResultId | None) -> Json:
    chunk = _chunk("image", "", figure.page_no, figure.bbox)
    if result_id is None or images.size(figure.image_index) <= MAX_INLINE_IMAGE_BYTES:
        chunk["image_b64"] = base64.b64encode(images.read(figure.image_index)).decode("ascii")
    else:
        chunk["image_url"] = f"/v1/results/{result_id}/images/{figure.image_index}"
    chunk |= {"image_mime": figure.mime, "image_width": figure.width, "image_height": figure.height}
    return chunk
