"""The numbers in the rules of office documents, web pages, mail and text; the rules are given them.

A field says its unit, where its value comes from, and which bench or test would notice if it were wrong.
"""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class OfficeThresholds:
    """What is taken in, and what is told by length."""

    full_line_characters: int = 45
    """Characters: a line of plain text as long was ended because it was full, a shorter one on purpose. By eye, not
    tuned; bench.formats."""
    min_picture_pixels: int = 16
    """Pixels of the shorter side: a smaller picture is an ornament. By eye, not tuned; bench.formats."""
    max_heading_level: int = 6
    """Levels of headings, as HTML and Markdown have them; bench.formats."""
    max_table_places: int = 200_000
    """Rows times columns: a sheet with more becomes several tables. A bound on memory; bench.bombs."""
    max_places: int = 1_000_000
    """Cells of all tables, and rows times columns that they span: more do not fit into a result. A bound on time and
    memory; bench.bombs."""
    counted_piece_bytes: int = 4 * 1024**2
    """Bytes of a part that are unpacked and counted at a time. A bound on memory; bench.bombs."""
    rough_text_factor: int = 2
    """Times the limit of pages that a text must be over where it is told from markup roughly. By eye, not tuned;
    bench.bombs."""
    max_mail_boundaries: int = 20
    """Parts within parts that are told apart where a mail has many. A bound on time; bench.bombs."""
    max_mail_parts: int = 20_000
    """Parts of a mail. A bound on time; bench.bombs."""
    max_field_characters: int = 65_536
    """Characters of a field of a mail that is looked into; a longer one is given as it stands. A bound on time;
    bench.bombs."""
    max_cell_pieces: int = 50
    """Pieces of one paragraph in a cell that are put together; what has more stays in lines. A bound on time;
    bench.bombs."""
    max_missing_paragraphs: int = 2_000
    """Paragraphs that are looked for in the whole text, each of which takes as long as that is. A bound on time;
    bench.bombs."""
    max_archive_entries: int = 20_000
    """Parts of a zipped document. A bound on time; bench.bombs."""
    max_archive_ratio: int = 200
    """Times its size that a large part may unpack to. A bound on memory; bench.bombs."""
    large_entry_bytes: int = 16 * 1024**2
    """Bytes from which a part is large. A bound on memory; bench.bombs."""
    entity_head_bytes: int = 65_536
    """Bytes at the start of an XML part in which entities may be declared. A bound on time; bench.bombs."""
