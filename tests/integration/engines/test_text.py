"""The flow of text: order, columns, paragraphs, notes, what a page turned sideways or damaged text becomes."""

import pytest

from octavo.documents import Block
from octavo.render.markdown import render_markdown
from tests.integration.engines.drawn import Drawing, texts


def test_two_columns_are_read_one_after_the_other() -> None:
    drawing = Drawing()
    for x, word in ((60, "Left"), (310, "Right")):
        drawing.text(x, 80, f"{word} begins with a line of its own, and goes on.")
        drawing.prose(x, 95, 225, 30)
        drawing.text(x, 95 + 30 * 12.5, f"{word} ends here.")
    text = " ".join(texts(drawing.read()))
    assert text.index("Left begins") < text.index("Left ends") < text.index("Right begins") < text.index("Right ends")


def test_a_paragraph_over_two_columns_is_marked_as_going_on_and_whole_in_markdown() -> None:
    drawing = Drawing()
    drawing.prose(60, 80, 225, 30)
    drawing.text(60, 80 + 30 * 12.5, "and whoever set the type had to break an inter-")
    drawing.text(310, 80, "national word at the end of the column. Then it goes on.")
    drawing.prose(310, 92.5, 225, 25)
    document = drawing.read()
    assert [block.continues for block in document.blocks] == [False, True]
    assert "an international word" in render_markdown(document)


def test_a_paragraph_over_two_pages_keeps_its_boxes_and_is_whole_in_markdown() -> None:
    drawing = Drawing()
    drawing.prose(72, 80, 440, 40)
    drawing.text(72, 80 + 40 * 12.5, "and on the next page the sentence that was begun here, without an end,")
    drawing.new_page()
    drawing.text(72, 80, "goes on to its full stop. Another sentence follows on the same line.")
    document = drawing.read()
    assert [(block.page_no, block.continues) for block in document.blocks] == [(1, False), (2, True)]
    assert "without an end, goes on to its full stop" in render_markdown(document)


def test_a_new_paragraph_on_the_next_page_does_not_go_on() -> None:
    drawing = Drawing()
    drawing.prose(72, 80, 440, 40)
    drawing.text(72, 80 + 40 * 12.5, "Here a paragraph ends with a full stop as it should.")
    drawing.new_page()
    drawing.text(72, 80, "Here the next one begins, which is another matter.")
    assert not any(block.continues for block in drawing.read().blocks)


def test_a_word_broken_at_the_end_of_a_line_is_whole() -> None:
    drawing = Drawing()
    drawing.text(72, 80, "Printing from movable type began with letters that were cut in hard-")
    drawing.text(72, 92, "ened steel and then struck into softer copper, letter after letter.")
    assert "hardened steel" in " ".join(texts(drawing.read()))


def test_a_hyphen_that_the_word_has_elsewhere_stays() -> None:
    drawing = Drawing()
    drawing.text(72, 80, "The well-known printers of the town had their workshops by the river.")
    drawing.text(72, 92, "They set what they were given, and so even the least of them became well-")
    drawing.text(72, 104, "known to all who could read, and to a few who could not read at all.")
    text = " ".join(texts(drawing.read()))
    assert text.count("well-known") == 2


def test_a_line_of_underscores_is_no_text() -> None:
    drawing = Drawing()
    drawing.text(72, 70, "_" * 60)
    drawing.prose(72, 90, 440, 6)
    assert not any("_" in text for text in texts(drawing.read()))


def test_footnotes_of_both_columns_come_after_the_text() -> None:
    drawing = Drawing()
    for x, note in ((60, "1 The first note, in smaller type."), (310, "2 The second note, smaller too.")):
        drawing.prose(x, 80, 225, 40)
        drawing.text(x, 640, note, size=7.5)
    found = drawing.read().blocks
    assert [block.text[:1] for block in found[-2:]] == ["1", "2"]
    assert {block.role for block in found[-2:]} == {"footnote"}


@pytest.mark.parametrize(("rotate", "turned"), [(90, 90), (270, 270)])
def test_a_page_whose_text_runs_sideways_is_turned(rotate: int, turned: int) -> None:
    drawing = Drawing()
    for index in range(12):
        x = 100 + 16 * index if rotate == 90 else 400 - 16 * index
        drawing.text(x, 700 if rotate == 90 else 100, f"Line {index} of a page that was set sideways.", rotate=rotate)
    document = drawing.read()
    (page,) = document.pages
    assert (page.rotation, page.width, page.height) == (turned, 842.0, 595.0)
    numbers = [word for text in texts(document) for word in text.split() if word.isdigit()]
    assert numbers == [str(index) for index in range(12)]


def test_a_page_turned_by_its_own_rotation_is_upright() -> None:
    drawing = Drawing()
    for index in range(12):
        drawing.text(100 + 16 * index, 700, f"Line {index} of a page that viewers show turned.", rotate=90)
    drawing.page.set_rotation(90)
    (page,) = drawing.read().pages
    assert (page.rotation, page.width, page.height) == (90, 842.0, 595.0)


def test_text_from_right_to_left_is_not_reversed() -> None:
    drawing = Drawing()
    drawing.page.insert_htmlbox((72, 72, 500, 200), "<p dir='rtl'>שלום עולם זה מבחן</p>")
    assert "שלום עולם זה מבחן" in " ".join(texts(drawing.read()))


def test_cells_of_a_table_from_right_to_left_are_not_reversed() -> None:
    drawing = Drawing()
    drawing.lattice([["", "1"], ["", "2"]], [68.0, 250.0, 400.0], 200, step=40)
    drawing.page.insert_htmlbox((72, 202, 240, 235), "<p>שלום עולם</p>")
    cells = [cell.text for table in drawing.read().tables for cell in table.cells]
    assert "שלום עולם" in cells


def test_ligatures_are_letters() -> None:
    drawing = Drawing()
    drawing.page.insert_htmlbox((72, 72, 500, 200), "<p>The \ufb01rst \ufb02oor of the o\ufb03ce is su\ufb03cient.</p>")
    assert "first floor of the office is sufficient" in " ".join(texts(drawing.read()))


def test_a_text_layer_of_wrong_letters_is_recognised_from_the_image_of_the_page() -> None:
    drawing = Drawing()
    drawing.prose(72, 80, 440, 10)
    # What a font without a mapping gives: every letter shifted, vowels and all.
    shifted = str.maketrans("aeiouy", "qxzwkj")
    broken = [text.translate(shifted) for text in texts(drawing.read())]
    other = Drawing()
    for index, line in enumerate(" ".join(broken).split(". ")):
        other.text(72, 80 + 14 * index, line[:90])
    (page,) = other.read().pages
    assert page.ocr


def test_a_page_of_codes_without_vowels_is_text() -> None:
    drawing = Drawing()
    for index in range(40):
        drawing.text(72, 80 + 16 * index, " ".join(f"BX{index:02}-{part}K" for part in range(10)))
    (page,) = drawing.read().pages
    assert not page.ocr


def test_headers_feet_and_page_numbers_are_kept_by_role() -> None:
    drawing = Drawing()
    for number in range(1, 4):
        if number > 1:
            drawing.new_page()
        drawing.text(72, 40, "A history of the octavo")
        drawing.prose(72, 100, 440, 20)
        drawing.text(290, 810, str(number))
    document = drawing.read()
    assert texts(document, ("header",)) == ["A history of the octavo"] * 3
    assert texts(document, ("page_number",)) == ["1", "2", "3"]
    assert "A history of the octavo" not in render_markdown(document)


def test_blocks_of_a_page_are_inside_of_it_and_counted_in_order() -> None:
    drawing = Drawing()
    drawing.prose(60, 80, 225, 30)
    drawing.prose(310, 80, 225, 30)
    blocks: tuple[Block, ...] = drawing.read().blocks
    assert [block.order for block in blocks] == list(range(len(blocks)))
    assert all(0 <= block.bbox.x0 <= block.bbox.x1 <= 595 for block in blocks)
