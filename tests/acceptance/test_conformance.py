"""The service against the contract's own checks, from outside; and the page of the docs that says so."""

import re
from pathlib import Path

from octavo.conformance.contract import CHECKS
from tests.acceptance.stack import Stack, run_octavo

PAGE = Path(__file__).parents[2] / "docs" / "reference" / "conformance.md"


def test_every_claim_of_the_contract_holds(stack: Stack, tmp_path: Path) -> None:
    page = tmp_path / "conformance.md"
    ended = run_octavo(
        *("conformance", stack.url, stack.new_key("conformance"), "--other-key", stack.new_key("conformance too")),
        *("--out", str(page)),
        limit=110,
    )
    report = page.read_text(encoding="utf-8")
    assert ended.returncode == 0, report
    assert "0 failed, 0 skipped" in report


def test_the_page_of_the_docs_tells_of_every_check() -> None:
    told = re.findall(r"^\| [^|]+ \| ([^|]+) \| passed \|", PAGE.read_text(encoding="utf-8"), re.M)
    assert told == [check.claim for check in CHECKS if not check.is_extension] + [
        check.claim for check in CHECKS if check.is_extension
    ]
