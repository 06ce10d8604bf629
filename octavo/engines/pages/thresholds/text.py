"""Thresholds of the text of a page: its text layer, its rows, its paragraphs."""

from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class TextLayerThresholds:
    """When the text layer of a PDF page is trusted, and what its lines are like."""

    max_unreadable_share: float = 0.3
    """Of the characters: with more that stand for nothing (private use, controls) the page is recognised. By eye, not
    tuned; bench.robustness (seconds)."""
    few_characters: int = 60
    """Characters: a page with fewer has no text layer if an image covers it. By eye, not tuned; bench.quality (pages a
    second)."""
    scan_cover: float = 0.6
    """Of the page under images: from here on a page with few characters is a scan. By eye, not tuned; bench.quality
    (pages a second)."""
    some_cover: float = 0.2
    """Of the page under images: a page without text and with less shows nothing. By eye, not tuned; bench.quality
    (pages a second)."""
    many_paths: int = 200
    """Drawing operators: a page without text and with fewer shows nothing; with more its letters may be drawn. By eye,
    not tuned; bench.quality (pages a second)."""
    upright_share: float = 0.3
    """Of the characters: with more upright ones a page is not set sideways. By eye, not tuned; no bench has such pages;
    tests/integration/engines/test_text.py does."""
    enough_letters: int = 200
    """Characters without which neither a direction of writing nor a wrong encoding is told. By eye, not tuned;
    tests/integration/engines/test_text.py."""
    min_vowel_share: float = 0.18
    """Of the letters of long words: below it the font's codes are mapped to wrong letters. English has 0.38. By eye,
    not tuned; bench.quality (pages a second)."""
    plain_vowel_share: float = 0.25
    """Of all characters, spaces too, where prose has 0.3: from here on a page is not looked at twice. It saves time
    only; bench.reading_speed."""
    min_rule_characters: int = 10
    """Characters: as many underscores are a drawn line. By eye, not tuned; bench.quality (NID)."""
    min_upright_cosine: float = 0.98
    """Cosine of the angle of writing: above it (11 degrees) a line is upright. By eye, not tuned; bench.quality
    (NID)."""
    bold_share: float = 0.6
    """Of the characters of a line with several fonts: with more bold ones the line is bold. By eye, not tuned;
    bench.quality (MHS)."""
    mono_share: float = 0.8
    """Of the characters of a line with several fonts: with more of fixed width the line is code. By eye, not tuned; no
    bench has code."""
    bold_weight: int = 600
    """Weight of a font, as OpenType counts: from semibold on it is bold. The second reader says nothing else;
    bench.robustness."""


@dataclass(frozen=True, slots=True)
class RowThresholds:
    """Which lines stand side by side."""

    same_row_overlap: float = 0.5
    """Of the lower line's height: lines that share more are one row. By eye, not tuned; bench.quality (NID)."""
    region_gap: float = 1.0
    """In font sizes: a wider gap between two parts of the page that a model tells apart ends a row. By eye, not tuned;
    bench.quality (MHS)."""


@dataclass(frozen=True, slots=True)
class ParagraphThresholds:
    """Where a paragraph ends."""

    loose_pitch: float = 1.3
    """In usual line pitches: rows farther apart are two paragraphs. By eye, not tuned; bench.quality (NID)."""
    size_change: float = 0.08
    """Of the font size: rows that differ by more are two paragraphs. By eye, not tuned; bench.quality (MHS)."""
    indent: float = 0.9
    """In font sizes: a row set in or out by more begins a paragraph. By eye, not tuned; bench.quality (NID)."""
    tab_gap: float = 2.0
    """In font sizes: lines of one row farther apart are cells of a table. By eye, not tuned; bench.quality (MHS)."""
    ragged_share: float = 0.1
    """Of the column's width: a row that ends earlier, although the next word had room, was ended on purpose. By eye,
    not tuned; bench.quality (NID)."""
    spare_characters: int = 2
    """Characters added to the next word's length when it is asked whether it had room. By eye, not tuned; bench.quality
    (NID)."""
    min_pitch: float = 0.5
    """In font sizes: smaller steps between rows say nothing of the usual pitch. By eye, not tuned; bench.quality
    (NID)."""
    max_pitch: float = 2.5
    """In font sizes: larger steps between rows say nothing of the usual pitch. By eye, not tuned; bench.quality
    (NID)."""
    default_pitch: float = 1.2
    """In font sizes: the pitch where no rows tell it, as most programs set it. bench.quality (NID)."""
    centred_offset: float = 0.5
    """In font sizes: rows whose middles lie closer may be centred. By eye, not tuned; bench.quality (NID)."""
    centred_inset: float = 0.5
    """In font sizes: centred rows begin farther apart than this. By eye, not tuned; bench.quality (NID)."""


@dataclass(frozen=True, slots=True)
class TextThresholds:
    """All of the text of a page."""

    layer: TextLayerThresholds = field(default_factory=TextLayerThresholds)
    rows: RowThresholds = field(default_factory=RowThresholds)
    paragraphs: ParagraphThresholds = field(default_factory=ParagraphThresholds)
