"""Which pages are worth a look by the layout model, told by what the text layer shows for next to nothing.

The model tells headings from other short lines, and what belongs to a picture or a margin. A page of plain
prose in one column has nothing of that: there it would only cost time.
"""

import re
from collections.abc import Sequence
from statistics import median

from octavo.engines.fast.columns import Placed, columns
from octavo.engines.fast.lines import Row, TextLine, rows
from octavo.engines.fast.paragraphs import is_tabular
from octavo.engines.fast.sight import Sight

FEW_CHARACTERS = 250
SOME_PATHS, SOME_COVER = 4, 0.02
LARGER, SMALLER = 1.06, 0.8
MARGIN = 0.08
SHORT = 0.75
_CAPITALS = re.compile(r"^(?=(?:[^A-Z]*[A-Z]){4})[^a-z]+$")
_NUMBERED = re.compile(r"^(?:\d{1,2}(?:\.\d{1,2}){0,4}\.?|[A-Z]\.|[IVX]{1,5}\.)\s+\S")
_LETTERS = re.compile(r"[^\W\d_]{2}")


def needs_layout(sight: Sight) -> bool:
    """Tell whether a page has columns, pictures, rules, tabular rows, or lines that may be headings."""
    lines = [line for line in sight.lines if line.upright]
    if sum(len(line.text) for line in lines) < FEW_CHARACTERS:
        return False
    if sight.paths >= SOME_PATHS or sight.image_cover >= SOME_COVER:
        return True
    if sum(len(column) > 2 for column in columns([Placed(line.box, len(line.text)) for line in lines])) > 1:
        return True
    return _has_doubtful_rows(rows(lines), lines, sight.height)


def _has_doubtful_rows(found: Sequence[Row], lines: Sequence[TextLine], height: float) -> bool:
    usual = median(line.size for line in lines for _ in line.text)
    measure = max(row.box.width for row in found)
    bold = sum(len(line.text) for line in lines if line.bold) * 2 > sum(len(line.text) for line in lines)
    inner = [row for row in found if row.box.y0 > MARGIN * height and row.box.y1 < (1 - MARGIN) * height]
    return any(is_tabular(row) or _stands_out(row, usual, measure, bold=bold) for row in inner)


def _stands_out(row: Row, usual: float, measure: float, *, bold: bool) -> bool:
    """Tell whether a row may be a heading: not a full line, and larger, bolder, in capitals or numbered."""
    text = row.text
    if not _LETTERS.search(text):
        return False
    if row.size >= LARGER * usual:
        return True
    short = row.box.width < SHORT * measure
    return short and ((row.bold and not bold) or bool(_CAPITALS.match(text)) or bool(_NUMBERED.match(text)))
