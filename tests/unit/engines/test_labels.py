"""What a layout model says of a line decides its role, its row and its place, where the rules alone would not know."""

import pytest

from octavo.documents import Box, Page, Role
from octavo.engines.pages.assembly import assemble, in_order
from octavo.engines.pages.draft import PageDraft
from octavo.engines.pages.roles.labels import Label, LabelledRegion, labelled
from octavo.engines.pages.text.lines import TextLine, rows
from octavo.engines.pages.thresholds.pipeline import PipelineThresholds

THRESHOLDS = PipelineThresholds()


def line(text: str, x: float, y: float, *, width: float = 200, size: float = 10, bold: bool = False) -> TextLine:
    return TextLine(text, Box(x, y, x + width, y + 1.2 * size), size, bold=bold)


def region(label: Label, *lines: TextLine) -> LabelledRegion:
    x0, y0 = min(each.box.x0 for each in lines), min(each.box.y0 for each in lines)
    x1, y1 = max(each.box.x1 for each in lines), max(each.box.y1 for each in lines)
    return LabelledRegion(label, Box(x0, y0, x1, y1), tuple(each.box for each in lines))


def roles(lines: list[TextLine], regions: list[LabelledRegion]) -> list[tuple[Role, str]]:
    page = PageDraft(Page(1, 600, 800), in_order(labelled(lines, regions, THRESHOLDS.roles.labels), (), THRESHOLDS))
    blocks = assemble([page], (), THRESHOLDS).document.blocks
    return [(block.role, block.text) for block in blocks]


BODY = [
    line("A full line of the body of a page that goes on to the right,", 72, 200 + 12 * n, width=400) for n in range(9)
]


@pytest.mark.parametrize(
    ("label", "role"),
    [
        ("section-header", "heading"),
        ("list-item", "list_item"),
        ("caption", "caption"),
        ("footnote", "footnote"),
        ("formula", "formula"),
        ("page-header", "header"),
        ("page-footer", "footer"),
        ("text", "paragraph"),
    ],
)
def test_a_label_becomes_a_role(label: Label, role: Role) -> None:
    short = line("Of type and its makers", 72, 150)
    assert (role, short.text) in roles([short, *BODY], [region(label, short), region("text", *BODY)])


def test_a_bold_line_in_a_text_is_no_heading() -> None:
    name = line("Albrecht Example", 72, 150, bold=True)
    assert roles([name, *BODY], [])[0][0] == "heading"
    assert roles([name, *BODY], [region("text", name), region("text", *BODY)])[0][0] == "paragraph"


@pytest.mark.parametrize("text", ["and so the sentence ends", "17", "— 3 —"])
def test_a_heading_has_letters_and_does_not_begin_with_a_small_one(text: str) -> None:
    found = roles([line(text, 72, 150), *BODY], [region("section-header", line(text, 72, 150))])
    assert "heading" not in [role for role, _ in found]


def test_a_number_in_a_margin_is_a_page_number() -> None:
    number = line("17", 290, 780, width=12)
    assert roles([*BODY, number], [region("page-footer", number)])[-1] == ("page_number", "17")


def test_a_heading_of_two_lines_is_one_block() -> None:
    first, second = line("Of type, its makers,", 72, 120, size=14), line("and the paper", 72, 137, size=14)
    found = roles([first, second, *BODY], [region("section-header", first, second)])
    assert found[0] == ("heading", "Of type, its makers, and the paper")


def test_headings_side_by_side_are_two() -> None:
    left, right = line("Our purpose", 72, 150), line("Our mission", 320, 151)
    regions = [region("section-header", left), region("section-header", right)]
    found = rows(labelled([left, right], regions, THRESHOLDS.roles.labels), THRESHOLDS.text.rows)
    assert [row.text for row in found] == ["Our purpose", "Our mission"]


def test_the_words_of_a_picture_stand_together() -> None:
    words = [line(f"bar {n}", 100 + 60 * n, 320 + 3 * n, width=40, size=8) for n in range(4)]
    found = roles([*BODY, *words], [region("picture", *words), region("text", *BODY)])
    assert [text for _, text in found][1:] == [text for _, text in roles(words, [])]


def test_a_running_head_comes_first_wherever_it_stands() -> None:
    head = line("The author", 320, 40)
    left = [line("The left column of a page, a line of it,", 72, 80 + 12 * n) for n in range(20)]
    right = [line("The right column of a page, a line of it,", 320, 80 + 12 * n) for n in range(20)]
    found = roles([*left, *right, head], [region("page-header", head)])
    assert found[0] == ("header", "The author")
