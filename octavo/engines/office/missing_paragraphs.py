"""What the converter left out: paragraphs of the file that are nowhere in its tree, put where they belong.

Footnotes, text in shapes that are grouped, boxes within boxes: a file that is read is read whole.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace

from octavo.documents import NO_BOX, Block, Content, Figure, Role, Table
from octavo.engines.office.assembly import Placed
from octavo.engines.office.kinds import OfficeKind
from octavo.engines.office.source_text import Paragraph, letters
from octavo.engines.office.thresholds import OfficeThresholds

_WHOLE: frozenset[OfficeKind] = frozenset({"docx", "odt", "odp"})
"""Formats all of whose paragraphs are to be seen; of the others not every one is."""


def with_missing_paragraphs(
    contents: Sequence[Placed], paragraphs: Sequence[Paragraph], kind: OfficeKind, thresholds: OfficeThresholds
) -> list[Placed]:
    """Return the contents with what they lack of the file's paragraphs: notes last, the rest after its neighbours."""
    if kind not in _WHOLE:
        return list(contents)
    found = [one for one in _with_pages(contents) if not _is_name_of_slide(one, paragraphs, kind)]
    missing, places = _missing(found, paragraphs, thresholds.max_missing_paragraphs), _places(found)
    after: dict[int, list[Placed]] = {}
    notes: list[Placed] = []
    place = -1
    for number, paragraph in enumerate(paragraphs):
        place = next((one for one in places.get(letters(paragraph.text), ()) if one >= place), place)
        if number not in missing:
            continue
        if paragraph.is_note:
            notes.append(_placed(paragraph, "footnote"))
        else:
            after.setdefault(_place_on_page(found, place, paragraph), []).append(_placed(paragraph, "paragraph"))
    return [*_woven(found, after), *notes]


def _with_pages(contents: Iterable[Placed]) -> Iterator[Placed]:
    """Yield the contents; what says no page is where the content before it is."""
    page_no = None
    for one in contents:
        page_no = one.page_no or page_no
        yield replace(one, page_no=page_no)


def _is_name_of_slide(one: Placed, paragraphs: Sequence[Paragraph], kind: OfficeKind) -> bool:
    """Tell whether this is the name that a program gave a slide without a title: nobody has written it."""
    if kind != "odp" or not isinstance(one.content, Block) or one.content.role != "title":
        return False
    wanted = letters(one.content.text)
    return all(letters(paragraph.text) != wanted for paragraph in paragraphs)


def _placed(paragraph: Paragraph, role: Role) -> Placed:
    return Placed(Block(1, 0, role, " ".join(paragraph.text.split()), NO_BOX), paragraph.page_no)


def _missing(contents: Iterable[Placed], paragraphs: Sequence[Paragraph], most: int) -> set[int]:
    """Return the numbers of the paragraphs that are not there, each once, however often the file has it."""
    seen = [letters(text) for one in contents for text in _texts(one.content)]
    known, whole = set(seen), "".join(seen)
    missing: set[int] = set()
    looked_for = 0
    for number, paragraph in enumerate(paragraphs):
        wanted = letters(paragraph.text)
        if not wanted or wanted in known:
            continue
        known.add(wanted)
        looked_for += 1
        if looked_for > most:
            break
        # It may have come out in pieces, or as a part of more.
        if wanted not in whole:
            missing.add(number)
    return missing


def _places(contents: Sequence[Placed]) -> dict[str, list[int]]:
    """Return where each text stands, in ascending order."""
    places: dict[str, list[int]] = {}
    for place, one in enumerate(contents):
        for text in _texts(one.content):
            places.setdefault(letters(text), []).append(place)
    return places


def _place_on_page(contents: Sequence[Placed], place: int, paragraph: Paragraph) -> int:
    """Return after which content a paragraph comes: its neighbour, or on another slide the last of those before."""
    if paragraph.page_no is None or (place >= 0 and contents[place].page_no == paragraph.page_no):
        return place
    before = [number for number, one in enumerate(contents) if (one.page_no or 0) <= paragraph.page_no]
    return max(before, default=-1)


def _woven(contents: Sequence[Placed], after: dict[int, list[Placed]]) -> Iterator[Placed]:
    yield from after.get(-1, ())
    for place, one in enumerate(contents):
        yield one
        yield from after.get(place, ())


def _texts(content: Content) -> Iterator[str]:
    match content:
        case Block():
            yield content.text
        case Table():
            for cell in content.cells:
                yield from cell.text.split("\n")
        case Figure():
            return
