"""Which pieces of text share a line, and what is drawn across a table."""

from collections.abc import Sequence

from octavo.documents import Box
from octavo.engines.pages.tables.rules import Rules
from octavo.engines.pages.tables.segments import Segment
from octavo.engines.pages.text.lines import cover
from octavo.engines.pages.thresholds.tables import LineThresholds


def text_rows(segments: Sequence[Segment], thresholds: LineThresholds) -> list[list[Segment]]:
    """Return segments as lines of text, top to bottom, each from left to right."""
    lines: list[list[Segment]] = []
    for segment in sorted(segments, key=lambda segment: segment.middle):
        if lines and shared_height(lines[-1][0].box, segment.box) > thresholds.same_line:
            lines[-1].append(segment)
        else:
            lines.append([segment])
    return [sorted(line, key=lambda segment: segment.box.x0) for line in lines]


def bands_of(segments: Sequence[Segment], thresholds: LineThresholds) -> list[int]:
    """Return for each segment the number of its text line, counted from the top."""
    order = sorted(range(len(segments)), key=lambda i: (segments[i].middle, segments[i].box.x0))
    bands = [0] * len(segments)
    number, first = -1, None
    for index in order:
        if first is None or shared_height(segments[first].box, segments[index].box) <= thresholds.same_line:
            number, first = number + 1, index
        bands[index] = number
    return bands


def shared_height(a: Box, b: Box) -> float:
    """Return how much of the lower one's height two boxes share, 1 for all of it."""
    shared = min(a.y1, b.y1) - max(a.y0, b.y0)
    return shared / max(1e-6, min(a.height, b.height))


def cuts_of(segments: Sequence[Segment], rules: Rules, thresholds: LineThresholds) -> list[float]:
    """Return the heights at which a line, or the edge of a band, runs across most of the table."""
    box = cover(segment.box for segment in segments)
    heights: list[float] = [
        rule.y0 for rule in joined_rules(rules.across, thresholds) if _runs_across(rule, box, thresholds)
    ]
    for band in rules.bands:
        if _runs_across(band, box, thresholds) and band.height < thresholds.max_band_height * box.height:
            heights += [band.y0, band.y1]
    cuts: list[float] = []
    for height in sorted(heights):
        inside = box.y0 + thresholds.edge < height < box.y1 - thresholds.edge
        through = any(
            s.box.y0 + thresholds.through * s.box.height < height < s.box.y1 - thresholds.through * s.box.height
            for s in segments
        )
        if inside and not through and (not cuts or height - cuts[-1] > thresholds.same_cut):
            cuts.append(height)
    return cuts


def joined_rules(rules: Sequence[Box], thresholds: LineThresholds) -> list[Box]:
    """Join the pieces of one line: tables draw them cell by cell."""
    whole: list[Box] = []
    for rule in sorted(rules, key=lambda rule: (round(rule.y0), rule.x0)):
        if (
            whole
            and abs(whole[-1].y0 - rule.y0) < thresholds.piece_height
            and rule.x0 <= whole[-1].x1 + thresholds.piece_gap
        ):
            whole[-1] = whole[-1].union(rule)
        else:
            whole.append(rule)
    return whole


def _runs_across(rule: Box, box: Box, thresholds: LineThresholds) -> bool:
    return min(rule.x1, box.x1) - max(rule.x0, box.x0) > thresholds.across * box.width
