"""The report in Markdown."""

from collections import Counter
from collections.abc import Sequence

from octavo.conformance.running import CheckStatus, Found

MOST_CHARACTERS = 160


def markdown(found: Sequence[Found], *, of: str, date: str) -> str:
    """Return the report: a summary, the contract's checks, then extensions, which the contract does not require."""
    contract = [one for one in found if not one.is_extension]
    counted = Counter(one.verdict for one in contract)
    lines = [
        "# Conformance with the extract.page batch contract",
        "",
        f"{of}, {date}: {counted[CheckStatus.PASSED]} passed, {counted[CheckStatus.FAILED]} failed, "
        f"{counted[CheckStatus.SKIPPED]} skipped.",
        "",
        *_table(contract),
    ]
    extensions = [one for one in found if one.is_extension]
    if extensions:
        lines += [
            "",
            "## Extensions",
            "",
            "For information only: they are not part of the contract.",
            "",
            *_table(extensions),
        ]
    return "\n".join(lines) + "\n"


def _table(found: Sequence[Found]) -> list[str]:
    rows = [f"| {one.section} | {one.claim} | {one.verdict.value} | {_cell(one.seen)} |" for one in found]
    return ["| section | claim | verdict | seen |", "|---|---|---|---|", *rows]


def _cell(text: str) -> str:
    line = " ".join(text.split()).replace("|", "\\|")
    return line if len(line) <= MOST_CHARACTERS else f"{line[:MOST_CHARACTERS]}..."
