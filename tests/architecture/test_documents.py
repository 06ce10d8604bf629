"""Links in the docs resolve, and decisions name tests that exist."""

import ast
import re
from pathlib import Path
from typing import cast

import pytest

from octavo.engines.contract import Engine, Limits, Source
from octavo.parse_options import ParseOptions
from tests.architecture.checkout import ROOT, files

LINK = re.compile(r"(?<!!)\[[^\]]*\]\((?P<target>[^)\s]+)\)")
HEADING = re.compile(r"^#{1,6} +(?P<text>.+?)\s*$", re.MULTILINE)
FENCED = re.compile(r"^```.*?^```", re.MULTILINE | re.DOTALL)
TEST = re.compile(r"`(?P<path>tests/[\w/]+\.py)(?:::(?P<name>test_\w+))?`")
PARTS = ("Status:", "Date:", "Area:", "## Context", "## Decision", "## Consequences", "## Weighed", "## Kept by")
KINDS = {"howto", "explain", "reference", "adr"}

PAGES = [path for path in files() if path.suffix == ".md" and (path.parts[0] == "docs" or len(path.parts) == 1)]
DECISIONS = [path for path in PAGES if re.fullmatch(r"\d{4}-[a-z0-9-]+\.md", path.name)]


def text_of(page: Path) -> str:
    """Return a page without what stands in fences, which is no prose."""
    return FENCED.sub("", (ROOT / page).read_text(encoding="utf-8"))


def anchors(page: Path) -> set[str]:
    """Return the anchors of a page's headings, as hosts of repositories make them."""
    headings = (found["text"].replace("`", "").lower() for found in HEADING.finditer(text_of(page)))
    return {re.sub(r"[^\w\- ]", "", text).replace(" ", "-") for text in headings}


@pytest.mark.parametrize("page", PAGES, ids=str)
def test_every_relative_link_leads_to_a_file_that_is_committed(page: Path) -> None:
    known = {ROOT / path for path in files()}
    folders = {parent for path in known for parent in path.parents}
    for found in LINK.finditer(text_of(page)):
        address, _, anchor = found["target"].partition("#")
        if "://" in address or address.startswith("mailto:"):
            continue
        target = (ROOT / page).parent.joinpath(address).resolve() if address else ROOT / page
        assert target in known | folders, f"{page} links to {address}, which is not there"
        if anchor:
            assert anchor in anchors(target.relative_to(ROOT)), f"{page} links to #{anchor}, which is no heading"


def test_each_decision_has_a_number_of_its_own() -> None:
    # Gaps may be: numbers are given out before decisions are written, and not all are.
    numbers = [path.name[:4] for path in DECISIONS]
    assert len(set(numbers)) == len(numbers) >= 12


@pytest.mark.parametrize("page", DECISIONS, ids=lambda page: page.name)
def test_a_decision_names_tests_that_are_there(page: Path) -> None:
    named = list(TEST.finditer((ROOT / page).read_text(encoding="utf-8").partition("## Kept by")[2]))
    assert named, f"{page} does not say what keeps it"
    for found in named:
        path = ROOT / found["path"]
        assert path.is_file(), f"{page} names {found['path']}, which is not there"
        if found["name"]:
            assert found["name"] in functions(path), f"{found['path']} has no {found['name']}"


def test_every_promise_of_security_names_a_test_that_is_there() -> None:
    table = (ROOT / "SECURITY.md").read_text(encoding="utf-8").partition("## Which test holds which promise")[2]
    rows = [line for line in table.splitlines() if line.startswith("| ")][1:]
    assert len(rows) > 15
    for row in rows:
        named = list(TEST.finditer(row))
        assert named, f"nothing holds {row}"
        for found in named:
            path = ROOT / found["path"]
            assert path.is_file(), row
            assert found["name"] in functions(path), row


def functions(path: Path) -> set[str]:
    """Return the names of all functions of a file."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    return {node.name for node in ast.walk(tree) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)}


@pytest.mark.parametrize("page", DECISIONS, ids=lambda page: page.name)
def test_a_decision_has_every_part_and_fits_on_a_page(page: Path) -> None:
    text = (ROOT / page).read_text(encoding="utf-8")
    for part in (
        "Status:",
        "Date:",
        "Area:",
        "## Context",
        "## Decision",
        "## Consequences",
        "## Weighed",
        "## Kept by",
    ):
        assert part in text, f"{page} has no {part}"
    assert 25 <= len(text.splitlines()) <= 60


def test_the_index_lists_every_decision() -> None:
    index = (ROOT / "docs" / "adr" / "README.md").read_text(encoding="utf-8")
    assert [path.name for path in DECISIONS if f"({path.name})" not in index] == []


def test_every_page_of_the_docs_is_of_one_kind() -> None:
    stray = [path for path in PAGES if path.parts[0] == "docs" and len(path.parts) == 3 and path.parts[1] not in KINDS]
    at_the_top = {path.name for path in PAGES if path.parts[0] == "docs" and len(path.parts) == 2}
    assert not stray
    assert at_the_top <= {"README.md", "quickstart.md", "glossary.md"}


def test_every_page_of_the_docs_is_linked_from_the_index() -> None:
    index = (ROOT / "docs" / "README.md").read_text(encoding="utf-8")
    shown = {
        str(path.relative_to("docs"))
        for path in PAGES
        if path.parts[0] == "docs" and path.name != "README.md" and "adr" not in path.parts
    }
    assert [name for name in sorted(shown) if f"({name})" not in index] == []


def test_the_engine_of_the_howto_works(tmp_path: Path) -> None:
    page = (ROOT / "docs" / "howto" / "add-an-engine.md").read_text(encoding="utf-8")
    code = re.search(r"^```python\n(.*?)^```", page, re.MULTILINE | re.DOTALL)
    assert code is not None
    made: dict[str, object] = {"__name__": "howto"}
    exec(compile(code[1], "add-an-engine.md", "exec"), made)  # noqa: S102 - the page's own example
    source = tmp_path / "note.txt"
    source.write_text("a note", encoding="utf-8")
    engine = cast(type[Engine], made["PlainEngine"])()
    reading = engine.extract(Source(path=source), ParseOptions(), Limits(), Counted(), tmp_path)
    assert [block.text for block in reading.document.blocks] == ["a note"]
    assert engine.availability().available


class Counted:
    """Takes an engine's progress."""

    def counted(self, pages: int) -> None:
        assert pages == 1

    def working(self, pages: int) -> None:
        assert pages >= 1
