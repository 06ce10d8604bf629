"""Markdown and HTML."""

from collections.abc import Callable
from html.parser import HTMLParser

import pytest
from hypothesis import given
from hypothesis import strategies as st

from octavo.documents import Block, Document, Page
from octavo.render.html import render_html
from octavo.render.markdown import render_markdown
from tests.unit.render.documents import BOX, PNG, one_of_everything


class Tags(HTMLParser):
    def __init__(self, page: str) -> None:
        super().__init__()
        self.names: list[str] = []
        self.attributes: list[tuple[str, str | None]] = []
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.names.append(tag)
        self.attributes += attrs


def test_headings_lists_and_code_are_markdown() -> None:
    lines = render_markdown(one_of_everything()).splitlines()
    assert lines[0] == "# The Title"
    assert "## Part" in lines
    at = lines.index("- one")
    assert lines[at + 1] == "2. two"
    assert "````" in lines


def test_tables_are_html_with_spans() -> None:
    markdown = render_markdown(one_of_everything())
    assert '<tr><th colspan="2">Mean</th></tr>' in markdown


def test_markdown_holds_no_image_bytes_and_no_page_numbers() -> None:
    markdown = render_markdown(one_of_everything())
    assert "base64" not in markdown
    assert "17" not in markdown


def test_text_that_looks_like_markdown_stays_text() -> None:
    lines = render_markdown(one_of_everything()).splitlines()
    assert r"\# not a heading" in lines
    assert r"\1. not a list" in lines


@pytest.mark.parametrize("render", [render_markdown, render_html])
def test_text_cannot_become_a_tag(render: Callable[[Document], str]) -> None:
    names = Tags(render(one_of_everything())).names
    assert "script" not in names


@given(st.text(max_size=80))
def test_no_text_breaks_out_of_the_html_page(text: str) -> None:
    document = Document((Page(1, 1, 1),), (Block(1, 0, "paragraph", text, BOX),), warnings=())
    plain = Document((Page(1, 1, 1),), (Block(1, 0, "paragraph", "x", BOX),))
    tags, expected = Tags(render_html(document, title=text)), Tags(render_html(plain, title="x"))
    assert tags.names == expected.names
    assert tags.attributes == expected.attributes


def test_the_html_page_is_complete_and_shows_figures_and_failures() -> None:
    page = render_html(one_of_everything(), [PNG], title="<T>")
    assert page.startswith("<!DOCTYPE html>")
    assert "<title>&lt;T&gt;</title>" in page
    assert 'src="data:image/png;base64,' in page
    assert "Page 2 could not be read: &lt;broken&gt;" in page
    assert '<th colspan="2">Mean</th>' in page
