"""What an owner makes of frames that no child of ours would send."""

import sys
from pathlib import Path

import pytest

from bench.fuzz_frames import end_of, frame, run

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="nothing is seen of a child's use elsewhere")


def test_whatever_a_child_says_ends_in_a_reading_or_a_listed_failure() -> None:
    ends = run(300, seed=2)
    assert [end for end in ends if end.startswith("UNLISTED")] == []
    assert {"reading", "child_died", "extraction_failed"} <= ends.keys()


@pytest.mark.parametrize("kind", ["error", "defect"])
@pytest.mark.parametrize("message", ["\ud800", "x" * 500_000, "a\0b\x1b[31m"])
def test_a_message_can_be_stored_whatever_it_is(tmp_path: Path, kind: str, message: str) -> None:
    (tmp_path / "source").write_text("a document")
    sent = frame({"type": kind, "code": "extraction_failed", "message": message})
    assert end_of(sent, tmp_path) == ("extraction_failed" if kind == "error" else "child_died")
