"""Engines side by side: a column each, costs above, and no bytes of a document that could run or load anything."""

from octavo.documents import Block, Box, Document, Page
from octavo.render.comparison import Compared, render_comparison

BOX = Box(0, 0, 10, 10)


def read(engine: str, *texts: str, seconds: float = 0.5) -> Compared:
    pages = tuple(Page(number, 100, 100) for number in range(1, len(texts) + 1))
    blocks = tuple(Block(number, 0, "paragraph", text, BOX) for number, text in enumerate(texts, start=1))
    return Compared(engine, "1", seconds, Document(pages, blocks))


def test_every_engine_has_a_column_on_every_page() -> None:
    page = render_comparison([("report.pdf", [read("fast", "one", "two"), read("layout", "eins", "zwei")])])
    assert page.count("<h3>fast</h3>") == page.count("<h3>layout</h3>") == 2
    assert page.index("one") < page.index("eins") < page.index("two") < page.index("zwei")


def test_time_is_told_per_page() -> None:
    page = render_comparison([("report.pdf", [read("fast", "one", "two", seconds=0.5)])])
    assert "<td>0.250</td><td>14,400</td>" in page


def test_an_engine_that_failed_says_why_beside_the_others() -> None:
    failed = Compared("layout", "1", 0.0, error="the PDF needs a password <now>")
    page = render_comparison([("report.pdf", [read("fast", "one"), failed])])
    assert "the PDF needs a password &lt;now&gt;" in page
    assert "one" in page


def test_names_and_texts_are_no_markup() -> None:
    page = render_comparison([("<script>.pdf", [read("<b>", "<script>alert(1)</script>")])])
    assert "<script" not in page
    assert "default-src 'none'" in page
