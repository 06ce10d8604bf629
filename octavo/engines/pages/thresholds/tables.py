"""Thresholds of tables: segments, drawn lines, regions, and the grid of columns and rows.

Those said to be chosen on the 100 sample pages came in one commit (`tables that are aligned rather than ruled`), with
which TEDS there went from 0.458 to 0.923; none was varied alone.
"""

from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class SegmentThresholds:
    """Which words of a line stand together."""

    cell_gap: float = 0.65
    """In word heights: words farther apart may be two cells. Chosen on the 100 sample pages; bench.quality (TEDS)."""
    wide_space: float = 0.33
    """In word heights: a wider gap parts cells of narrow columns. Chosen on the 100 sample pages; bench.quality
    (TEDS)."""


@dataclass(frozen=True, slots=True)
class RuleThresholds:
    """Which drawings are lines and bands of tables."""

    max_thickness: float = 2.5
    """Points: a thicker box is no line. By eye, not tuned; bench.quality (TEDS)."""
    min_length: float = 18.0
    """Points: a shorter line, or narrower band, is none of a table. By eye, not tuned; bench.quality (TEDS)."""
    min_band: float = 6.0
    """Points: a lower filled box is no row; a shorter line down is none of a table. By eye, not tuned; bench.quality
    (TEDS)."""
    max_band: float = 120.0
    """Points: a higher filled box is no row. By eye, not tuned; bench.quality (TEDS)."""
    white: float = 0.99
    """Of full colour: a fill with all parts above is white. By eye, not tuned; bench.quality (TEDS)."""


@dataclass(frozen=True, slots=True)
class RegionThresholds:
    """Where a table may be, and whether it is one."""

    same_edge: float = 6.0
    """Points: lines whose ends lie closer are of one length. By eye, not tuned; bench.quality (TEDS)."""
    double_line: float = 5.0
    """Points: lines closer over one another are one. By eye, not tuned; bench.quality (TEDS)."""
    min_width: float = 60.0
    """Points: a narrower line or band marks no table. Chosen on the 100 sample pages; bench.quality (TEDS)."""
    narrow: float = 0.5
    """Of the region's width: where all pieces are narrower, there may be a header between two lines. Chosen on the 100
    sample pages; bench.quality (TEDS)."""
    prose_fill: float = 0.8
    """Of the region's width: columns that fill more are prose in columns. Chosen on the 100 sample pages; bench.quality
    (TEDS)."""
    prose_characters: int = 22
    """Characters of the mean piece: prose has more. Chosen on the 100 sample pages; bench.quality (TEDS)."""
    prose_line: float = 0.88
    """Of the line's width, and of the region's: a line that fills more is one of prose with wide spaces. By eye, not
    tuned; bench.quality (TEDS)."""
    min_fill: float = 0.25
    """Of the grid's places: a table has more filled. Chosen on the 100 sample pages; bench.quality (TEDS)."""
    max_wide: float = 0.4
    """Of the pieces below the header: where more reach over several columns it is no table. Chosen on the 100 sample
    pages; bench.quality (TEDS)."""
    max_head_lines: int = 5
    """Lines of text: a header has no more. Chosen on the 100 sample pages; bench.quality (TEDS)."""
    row_gap: float = 2.2
    """In row heights: rows farther apart are not of one table. Chosen on the 100 sample pages; bench.quality (TEDS)."""
    some_numbers: float = 0.3
    """Of the pieces: a table of long pieces has at least as many numbers. By eye, not tuned; bench.quality (TEDS)."""
    mostly_numbers: float = 0.7
    """Of the rows: in a table of two columns as many have a number at the right alone. By eye, not tuned; bench.quality
    (TEDS)."""
    list_width: float = 0.9
    """Of the region's width: the pieces of a table of one column are narrower. By eye, not tuned; bench.quality
    (TEDS)."""
    min_list_rows: int = 3
    """Rows: a table of one column has at least as many. By eye, not tuned; bench.quality (TEDS)."""
    min_aligned_rows: int = 3
    """Rows: without anything drawn a table has at least as many. By eye, not tuned; bench.quality (TEDS)."""
    piece_height: float = 1.5
    """Points: pieces of one band differ less in height. By eye, not tuned; bench.quality (TEDS)."""
    piece_gap: float = 3.0
    """Points: pieces of one band stand closer. By eye, not tuned; bench.quality (TEDS)."""
    margin: float = 2.0
    """Points beyond its sides in which a region still holds what stands there. By eye, not tuned; bench.quality
    (TEDS)."""
    band_gap: float = 0.5
    """In band heights: with a wider gap between bands every other row is not shaded. By eye, not tuned; bench.quality
    (TEDS)."""
    row_below: float = 1.1
    """In band heights below the last band: a row there belongs to the table. By eye, not tuned; bench.quality
    (TEDS)."""


@dataclass(frozen=True, slots=True)
class LineThresholds:
    """Which pieces share a line, and what is drawn across."""

    same_line: float = 0.5
    """Of the lower piece's height: pieces that share more are on one line. By eye, not tuned; bench.quality (TEDS)."""
    across: float = 0.5
    """Of the table's width: a line as long runs across. Chosen on the 100 sample pages; bench.quality (TEDS)."""
    max_band_height: float = 0.7
    """Of the table's height: a higher band is its background. By eye, not tuned; bench.quality (TEDS)."""
    edge: float = 1.0
    """Points: a line closer to the upper or lower edge divides no rows. By eye, not tuned; bench.quality (TEDS)."""
    through: float = 0.3
    """Of a piece's height from above and below: a line between runs through the text. By eye, not tuned; bench.quality
    (TEDS)."""
    same_cut: float = 2.0
    """Points: lines closer over one another are one. By eye, not tuned; bench.quality (TEDS)."""
    piece_height: float = 1.5
    """Points: pieces of one line differ less in height. By eye, not tuned; bench.quality (TEDS)."""
    piece_gap: float = 3.0
    """Points: pieces of one line stand closer. By eye, not tuned; bench.quality (TEDS)."""


@dataclass(frozen=True, slots=True)
class GridColumnThresholds:
    """Which pieces stand in one column."""

    overlap: float = 0.1
    """Of the piece's width: it touches a column that it reaches into by more. Chosen on the 100 sample pages;
    bench.quality (TEDS)."""
    overlap_width: float = 20.0
    """Points: wider pieces count as this wide for `overlap`. By eye, not tuned; bench.quality (TEDS)."""
    abreast: float = 0.25
    """Of the smaller column's pieces: with as many on common lines two columns stand abreast. By eye, not tuned;
    bench.quality (TEDS)."""
    right_aligned: float = 2.5
    """Points: right ends closer together are aligned. Chosen on the 100 sample pages; bench.quality (TEDS)."""
    near: float = 1.5
    """In line heights: columns closer may be one. Chosen on the 100 sample pages; bench.quality (TEDS)."""
    full_row: float = 0.7
    """Of the columns: a line with as many filled looks like a whole row. Chosen on the 100 sample pages; bench.quality
    (TEDS)."""
    head_margin: float = 1.0
    """Points below the first line across in which a header may still end. By eye, not tuned; bench.quality (TEDS)."""


@dataclass(frozen=True, slots=True)
class GridRowThresholds:
    """Which lines stand in one row."""

    clear_step: float = 0.3
    """In line heights: gaps between rows exceed those within cells by at least as much. Chosen on the 100 sample pages;
    bench.quality (TEDS)."""
    near_leading: float = 0.12
    """In line heights: gaps that differ less are the same. Chosen on the 100 sample pages; bench.quality (TEDS)."""
    broken_share: float = 0.25
    """Of the closest lines: if more continue a sentence they are lines of one cell. Chosen on the 100 sample pages;
    bench.quality (TEDS)."""
    head_leading: float = 0.25
    """In line heights: lines of a header stand as close. By eye, not tuned; bench.quality (TEDS)."""
    max_leading: float = 0.6
    """In line heights: lines of one cell stand closer. Chosen on the 100 sample pages; bench.quality (TEDS)."""
    same_row: float = 0.25
    """Of the lower cell's height: cells that share more are in one row. Chosen on the 100 sample pages; bench.quality
    (TEDS)."""
    same_line: float = 0.5
    """Of the lower piece's height: pieces that share more are never two rows. By eye, not tuned; bench.quality
    (TEDS)."""
    cut_margin: float = 0.3
    """Of a cell's height: a line that lies farther inside does not divide. By eye, not tuned; bench.quality (TEDS)."""
    crowded_share: float = 0.25
    """Of the stretches between lines across: with more that hold several whole rows not every row is divided. By eye,
    not tuned; bench.quality (TEDS)."""
    max_crowded: int = 3
    """Whole rows: a stretch with as many says that not every row is divided. By eye, not tuned; bench.quality
    (TEDS)."""
    min_cuts: int = 3
    """Lines across: fewer are a header's and the ends'. By eye, not tuned; bench.quality (TEDS)."""
    min_full_columns: int = 2
    """Columns: a line with fewer filled is no whole row. By eye, not tuned; bench.quality (TEDS)."""


@dataclass(frozen=True, slots=True)
class GridHeaderThresholds:
    """Headers over several columns."""

    centred: float = 0.12
    """Of the columns' width: a header whose middle lies closer to theirs is centred over them. By eye, not tuned;
    bench.quality (TEDS)."""
    tie: float = 0.03
    """Of the columns' width: two choices that differ less are as good as each other. By eye, not tuned; bench.quality
    (TEDS)."""
    max_group_rows: int = 3
    """Rows of headers over groups of columns. Chosen on the 100 sample pages; bench.quality (TEDS)."""
    covers: float = 0.5
    """Of a column's width: a header that reaches over more covers it. By eye, not tuned; bench.quality (TEDS)."""


@dataclass(frozen=True, slots=True)
class GridThresholds:
    """How large a grid may be, and what is several cells close together."""

    crowded: int = 4
    """Columns: a piece whose words reach as many is several cells. By eye, not tuned; bench.quality (TEDS)."""
    max_segments: int = 3_000
    """Pieces: with more no grid is looked for. A bound on time; bench.bombs."""


@dataclass(frozen=True, slots=True)
class RuledTableThresholds:
    """Tables with lines around every cell, as PyMuPDF finds them."""

    min_paths: int = 4
    """Drawing operators: with fewer there is no such table. It saves time only; bench.reading_speed."""
    min_rows: int = 2
    """Rows of pieces side by side: with fewer, and nothing drawn, there is no table. It saves time only;
    bench.reading_speed."""
    row_height: float = 3.0
    """Points: heights of lines are counted in steps of this size for `min_rows`. It saves time only;
    bench.reading_speed."""
    same_edge: float = 2.0
    """Points: edges of cells closer together are one. By eye, not tuned; bench.quality (TEDS)."""
    double_line: float = 10.0
    """Points: two edges closer together with no word between them are a double line. By eye, not tuned; bench.quality
    (TEDS)."""
    min_cells: int = 2
    """Cells: fewer are a box. By eye, not tuned; bench.quality (TEDS)."""
    min_places: int = 4
    """Rows times columns: fewer are a box. By eye, not tuned; bench.quality (TEDS)."""
    max_cells: int = 5_000
    """Cells: more are no table. A bound on time; bench.bombs."""
    max_paths: int = 4_000
    """Drawing operators: with more, lines are not looked at. A bound on time; bench.bombs."""
    crowded_lines: int = 3
    """Lines in one cell: with as many in most cells a row is several. By eye, not tuned; bench.quality (TEDS)."""
    broken_share: float = 0.25
    """Of the lines of such cells: if more continue a sentence they are one cell. By eye, not tuned; bench.quality
    (TEDS)."""
    short_characters: int = 25
    """Characters of the mean line of such cells: longer ones are prose. By eye, not tuned; bench.quality (TEDS)."""
    number_share: float = 0.3
    """Of the pieces side by side in a cell: with as many numbers the cell is several columns. By eye, not tuned;
    bench.quality (TEDS)."""
    chart_cells: int = 12
    """Cells: a smaller grid is no chart. By eye, not tuned; bench.quality (TEDS)."""
    chart_fill: float = 0.25
    """Of the cells: a chart has fewer filled. By eye, not tuned; bench.quality (TEDS)."""
    chart_edge_fill: float = 0.5
    """Of the first row's, and of the first column's cells: a chart has fewer filled. By eye, not tuned; bench.quality
    (TEDS)."""
    margin: float = 1.0
    """Points around a cell in which it still holds the middle of a piece. By eye, not tuned; bench.quality (TEDS)."""


@dataclass(frozen=True, slots=True)
class TableThresholds:
    """All of tables."""

    segments: SegmentThresholds = field(default_factory=SegmentThresholds)
    rules: RuleThresholds = field(default_factory=RuleThresholds)
    regions: RegionThresholds = field(default_factory=RegionThresholds)
    lines: LineThresholds = field(default_factory=LineThresholds)
    columns: GridColumnThresholds = field(default_factory=GridColumnThresholds)
    rows: GridRowThresholds = field(default_factory=GridRowThresholds)
    headers: GridHeaderThresholds = field(default_factory=GridHeaderThresholds)
    grid: GridThresholds = field(default_factory=GridThresholds)
    ruled: RuledTableThresholds = field(default_factory=RuledTableThresholds)
