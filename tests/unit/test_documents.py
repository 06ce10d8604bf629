import json
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from octavo.documents import (
    ROLES,
    Block,
    Box,
    Cell,
    Document,
    Figure,
    InvalidDocument,
    Line,
    Page,
    Table,
)

coordinates = st.floats(0, 2000, allow_nan=False, allow_infinity=False)
texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
confidences = st.none() | st.floats(0, 100)


@st.composite
def boxes(draw: st.DrawFn) -> Box:
    x0, x1 = sorted((draw(coordinates), draw(coordinates)))
    y0, y1 = sorted((draw(coordinates), draw(coordinates)))
    return Box(x0, y0, x1, y1)


@st.composite
def documents(draw: st.DrawFn) -> Document:
    pages = tuple(
        Page(number, draw(coordinates), draw(coordinates), draw(st.sampled_from([0, 90, 180, 270])))
        for number in range(1, draw(st.integers(1, 3)) + 1)
    )
    page_no = st.integers(1, len(pages))
    orders = iter(range(100))
    blocks = []
    for _ in range(draw(st.integers(0, 4))):
        role = draw(st.sampled_from(ROLES))
        level = draw(st.integers(1, 6)) if role == "heading" else None
        lines = tuple(draw(st.lists(st.builds(Line, texts, boxes()), max_size=2)))
        blocks.append(
            Block(draw(page_no), next(orders), role, draw(texts), draw(boxes()), level, draw(confidences), lines)
        )
    cell = Cell(draw(texts), 0, 0, draw(page_no), draw(boxes()), col_span=2, confidence=draw(confidences))
    caption = st.none() | texts
    table = Table(draw(page_no), next(orders), draw(boxes()), 2, 2, (cell,), caption=draw(caption))
    figure = Figure(draw(page_no), next(orders), draw(boxes()), "image/png", 3, 4, 0, draw(caption))
    return Document(pages, tuple(blocks), (table,), (figure,), tuple(draw(st.lists(texts, max_size=2))))


@given(documents())
def test_a_document_survives_json_unchanged(document: Document) -> None:
    assert Document.from_json(document.to_json()) == document


@given(boxes(), boxes())
def test_a_union_covers_both_boxes(first: Box, second: Box) -> None:
    union = first.union(second)
    assert union.overlap(first) == pytest.approx(first.area)
    assert union.overlap(second) == pytest.approx(second.area)


@given(boxes(), coordinates, coordinates)
def test_a_box_cut_to_a_page_lies_within_it(box: Box, width: float, height: float) -> None:
    cut = box.within(width, height)
    assert 0 <= cut.x0 <= cut.x1 <= width
    assert 0 <= cut.y0 <= cut.y1 <= height


@given(boxes(), boxes())
def test_overlap_does_not_depend_on_the_order(first: Box, second: Box) -> None:
    assert first.overlap(second) == second.overlap(first) <= min(first.area, second.area) + 1e-6


@pytest.mark.parametrize("corners", [(2, 0, 1, 1), (0, 2, 1, 1), (math.nan, 0, 1, 1), (0, 0, math.inf, 1)])
def test_a_box_inside_out_or_without_end_is_refused(corners: tuple[float, float, float, float]) -> None:
    with pytest.raises(InvalidDocument):
        Box(*corners)


def sample() -> Document:
    box = Box(1, 2, 3, 4)
    return Document(
        pages=(Page(1, 100, 200),),
        blocks=(Block(1, 0, "heading", "Hello", box, level=2),),
        tables=(Table(1, 1, box, 2, 2, (Cell("a", 0, 0, 1, box), Cell("b", 1, 1, 1, box))),),
        figures=(Figure(1, 2, box, "image/png", 5, 6, 0),),
    )


@pytest.mark.parametrize(
    ("path", "value"),
    [
        (("blocks", 0, "bbox", "x1"), -1.0),
        (("blocks", 0, "bbox", "x1"), "3"),
        (("blocks", 0, "role"), "villain"),
        (("blocks", 0, "level"), None),
        (("blocks", 0, "level"), 7),
        (("blocks", 0, "confidence"), 101),
        (("blocks", 0, "page_no"), 2),
        (("blocks", 0, "order"), 1),
        (("blocks", 0, "text"), None),
        (("blocks", 0, "surprise"), 1),
        (("tables", 0, "cells", 1, "row"), 2),
        (("tables", 0, "cells", 0, "row_span"), 3),
        (("tables", 0, "cells", 0, "row_span"), 10**9),
        (("tables", 0, "n_rows"), 10**9),
        (("tables", 0, "merged_from_pages"), [2, 1]),
        (("figures", 0, "image_index"), -1),
        (("figures", 0, "mime"), "text/html"),
        (("figures", 0, "width"), True),
        (("pages", 0, "page_no"), 2),
        (("pages", 0, "rotation"), 45),
        (("pages", 0, "status"), "failed"),
        (("schema_version",), 2),
    ],
)
def test_json_that_is_no_document_is_refused(path: tuple[str | int, ...], value: object) -> None:
    untrusted = json.loads(sample().to_json())
    *parents, last = path
    place = untrusted
    for key in parents:
        place = place[key]
    place[last] = value
    with pytest.raises(InvalidDocument):
        Document.from_json(json.dumps(untrusted))


def test_a_document_stored_before_tables_had_captions_is_read() -> None:
    stored = json.loads(sample().to_json())
    del stored["tables"][0]["caption"]
    assert Document.from_json(json.dumps(stored)) == sample()


@pytest.mark.parametrize("untrusted", [b"", b"{", b"[]", b'{"pages": NaN}', b"\xff", b"[" * 100_000])
def test_bytes_that_are_no_json_are_refused(untrusted: bytes) -> None:
    with pytest.raises(InvalidDocument):
        Document.from_json(untrusted)


def test_two_cells_on_one_place_are_refused() -> None:
    box = Box(0, 0, 1, 1)
    with pytest.raises(InvalidDocument, match="same place"):
        Table(1, 0, box, 2, 2, (Cell("a", 0, 0, 1, box, row_span=2), Cell("b", 1, 0, 1, box)))


def test_content_comes_in_reading_order_across_kinds() -> None:
    assert [content.order for content in sample().content()] == [0, 1, 2]
