"""What converters like to lose: words of two styles, notes, groups, what comes before the first heading."""

import zipfile
from pathlib import Path

import docx
import pytest

from octavo.documents import Document
from octavo.errors import PageLimitExceeded
from tests.integration.extraction.conftest import Extract

OASIS = "urn:oasis:names:tc:opendocument:xmlns:"
SPACES = " ".join(
    f'xmlns:{prefix}="{OASIS}{name}:1.0"'
    for prefix, name in {
        "office": "office",
        "text": "text",
        "draw": "drawing",
        "presentation": "presentation",
    }.items()
)
SLIDES = (
    '<office:presentation><draw:page draw:name="page1"><draw:frame presentation:class="title"><draw:text-box>'
    "<text:p>Tides</text:p></draw:text-box></draw:frame><draw:frame><draw:text-box><text:p>High water</text:p>"
    '</draw:text-box></draw:frame></draw:page><draw:page draw:name="page2"><draw:frame><draw:text-box>'
    "<text:p>loose</text:p></draw:text-box></draw:frame><draw:g><draw:frame><draw:text-box><text:p>in a group</text:p>"
    '</draw:text-box></draw:frame></draw:g></draw:page><draw:page draw:name="page3"/></office:presentation>'
)
NOTED = (
    '<office:text><text:h text:outline-level="1">Tides</text:h><text:p>High water at six'
    '<text:note text:note-class="footnote"><text:note-citation>1</text:note-citation><text:note-body><text:p>Seen at'
    " the <text:span>gau</text:span>ge.</text:p></text:note-body></text:note> sharp.</text:p></office:text>"
)
FOOTNOTES = (
    '<w:footnotes xmlns:w="http://schemas.openxmlformats.org/wordprocessingml/2006/main">'
    '<w:footnote w:type="separator" w:id="-1"><w:p><w:r><w:separator/></w:r></w:p></w:footnote>'
    '<w:footnote w:id="1"><w:p><w:r><w:t xml:space="preserve">Seen at the </w:t></w:r>'
    "<w:r><w:rPr><w:b/></w:rPr><w:t>gau</w:t></w:r><w:r><w:t>ge.</w:t></w:r></w:p></w:footnote></w:footnotes>"
)
OPENXML = "openxmlformats.org/"
MAIL = """From: warden@example.org
To: neighbours@example.org
Subject: The weir
Content-Type: text/plain; charset=utf-8

Dear all,

please bring
- boots
- a rope that is long enough to reach from the one bank to the other
  and back again

1. Open the gate.
2. Close it.

# 12 is the number of the gate
The warden
"""


def texts(document: Document, role: str | None = None) -> list[str]:
    return [block.text for block in document.blocks if role in (None, block.role)]


def write_open_document(path: Path, kind: str, body: str) -> None:
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("mimetype", f"application/vnd.oasis.opendocument.{kind}")
        content = f"<office:document-content {SPACES}><office:body>{body}</office:body></office:document-content>"
        archive.writestr("content.xml", content)


def write_noted_word_document(path: Path) -> None:
    plain = path.with_suffix(".plain")
    made = docx.Document()
    made.add_heading("Tides", 1)
    made.add_paragraph("High water at six")
    made.save(str(plain))
    kind = f"application/vnd.{OPENXML.split('.')[0]}-officedocument.wordprocessingml.footnotes+xml"
    added = {
        "[Content_Types].xml": ("</Types>", f'<Override PartName="/word/footnotes.xml" ContentType="{kind}"/></Types>'),
        "word/_rels/document.xml.rels": (
            "</Relationships>",
            f'<Relationship Id="rIdN" Type="http://schemas.{OPENXML}officeDocument/2006/relationships/footnotes" '
            'Target="footnotes.xml"/></Relationships>',
        ),
        "word/document.xml": (
            "High water at six</w:t></w:r>",
            'High water at six</w:t></w:r><w:r><w:footnoteReference w:id="1"/></w:r>',
        ),
    }
    with zipfile.ZipFile(plain) as before, zipfile.ZipFile(path, "w") as archive:
        for name in before.namelist():
            old, new = added.get(name, ("", ""))
            data = before.read(name)
            archive.writestr(name, data.replace(old.encode(), new.encode()) if old else data)
        archive.writestr("word/footnotes.xml", FOOTNOTES)


def test_a_word_of_two_styles_in_a_cell_stays_one_word(extract: Extract, tmp_path: Path) -> None:
    made = docx.Document()
    cell = made.add_table(1, 2).cell(0, 0)
    for words in (("bo", "ld"), ("go ", "there", " now")):
        paragraph = cell.paragraphs[0] if words[0] == "bo" else cell.add_paragraph()
        for number, word in enumerate(words):
            paragraph.add_run(word).bold = number % 2 == 0
    path = tmp_path / "cell.docx"
    made.save(str(path))
    (table,) = extract(path).document.tables
    assert table.cells[0].text == "bold\ngo there now"


def test_what_stands_before_the_first_heading_of_a_web_page_is_read(extract: Extract, tmp_path: Path) -> None:
    path = tmp_path / "page.html"
    path.write_text(
        "<html><head><title>Name</title></head><body>Loose words.<ul><li>an item</li></ul>"
        "<table><tr><td>a</td><td>cell</td></tr></table><h1>Tides</h1><p>text</p><footer><p>foot</p></footer></body></html>"
    )
    document = extract(path).document
    assert [block.text for block in document.blocks if block.role not in ("header", "footer")] == [
        "Loose words.",
        "an item",
        "Tides",
        "text",
    ]
    assert [cell.text for table in document.tables for cell in table.cells] == ["a", "cell"]
    orders = {block.text: block.order for block in document.blocks}
    assert orders["an item"] < document.tables[0].order < orders["Tides"]


def test_footnotes_are_read_as_footnotes(extract: Extract, tmp_path: Path) -> None:
    write_noted_word_document(tmp_path / "noted.docx")
    write_open_document(tmp_path / "noted.odt", "text", NOTED)
    for name, sentence in {"noted.docx": "High water at six", "noted.odt": "High water at six sharp."}.items():
        document = extract(tmp_path / name).document
        assert texts(document) == ["Tides", sentence, "Seen at the gauge."], name
        assert texts(document, "footnote") == ["Seen at the gauge."], name


def test_text_in_a_group_of_shapes_is_read_on_its_slide_and_no_name_is_made_up(
    extract: Extract, tmp_path: Path
) -> None:
    path = tmp_path / "slides.odp"
    write_open_document(path, "presentation", SLIDES)
    document = extract(path).document
    assert [(block.page_no, block.text) for block in document.blocks] == [
        (1, "Tides"),
        (1, "High water"),
        (2, "loose"),
        (2, "in a group"),
    ]
    assert document.page_count == 3, "an empty slide is one, too"


def test_plain_text_is_no_markup(extract: Extract, tmp_path: Path) -> None:
    path = tmp_path / "note.txt"
    path.write_text("# 12 is a number\n\n<b>not bold</b> &amp; *so* it stays\n\n| a | b |\n|---|---|\n| 1 | 2 |\n")
    document = extract(path).document
    assert texts(document) == [
        "# 12 is a number",
        "<b>not bold</b> &amp; *so* it stays",
        "| a | b |",
        "|---|---|",
        "| 1 | 2 |",
    ]
    assert {block.role for block in document.blocks} == {"paragraph"}
    assert not document.tables


def test_full_lines_are_one_paragraph_and_short_ones_stay_lines(extract: Extract, tmp_path: Path) -> None:
    full = "words that fill a line of a text which somebody has wrapped by hand"
    path = tmp_path / "letter.txt"
    path.write_text(f"{full}\n{full}\nto its end.\n\n12 Quay Street\nHarbour\n")
    assert texts(extract(path).document) == [f"{full} {full} to its end.", "12 Quay Street", "Harbour"]


def test_items_and_lines_of_a_plain_mail_stay_apart(extract: Extract, tmp_path: Path) -> None:
    path = tmp_path / "weir.eml"
    path.write_text(MAIL)
    document = extract(path).document
    assert texts(document, "list_item") == [
        "boots",
        "a rope that is long enough to reach from the one bank to the other and back again",
        "1. Open the gate.",
        "2. Close it.",
    ]
    assert texts(document, "paragraph")[-4:] == [
        "Dear all,",
        "please bring",
        "# 12 is the number of the gate",
        "The warden",
    ]


@pytest.mark.parametrize("count", [3_010, 40_000])
def test_text_of_too_many_pages_is_refused_before_it_is_all_looked_at(
    extract: Extract, tmp_path: Path, count: int
) -> None:
    path = tmp_path / "long.txt"
    path.write_text(f"{'x' * 999}\n\n" * count)
    with pytest.raises(PageLimitExceeded, match="more than 1000"):
        extract(path)
