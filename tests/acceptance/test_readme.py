"""The README and the how-tos, pasted page by page as they are printed, against a real stack."""

import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from octavo.samples import REPORT_TITLE, make_samples
from tests.acceptance.shell_blocks import ROOT, blocks_of
from tests.acceptance.stack import Stack, clean_environment

README = "README.md"
NOT_RUN = ("make run", "make test", "octavo up", "octavo doctor", "example.org")
"""What starts another stack, runs the tests, looks at the machine, or asks the internet."""
PRELUDE = """
set -e -o pipefail
# An answer that refuses is an error here, not only something to look at.
curl() { command curl --fail-with-body --max-time 60 "$@"; }
"""
Paste = Callable[..., str]


@pytest.fixture
def paste(stack: Stack, tmp_path: Path) -> Paste:
    """Return what runs blocks of a page in a fresh checkout of that stack, one shell for all, and gives its output."""
    bash = shutil.which("bash")
    assert bash is not None
    (tmp_path / ".venv").symlink_to(ROOT / ".venv")
    make_samples(tmp_path / ".octavo" / "samples")
    shutil.copy(tmp_path / ".octavo" / "samples" / "report.pdf", tmp_path)

    def run(page: str, *, customer: str, before: str = "") -> str:
        text = "\n".join(block.text for block in blocks_of(page) if not any(word in block.text for word in NOT_RUN))
        # The stack of the tests has another port and another data directory, and customers are told apart.
        text = text.replace("http://127.0.0.1:8000", stack.url).replace("acme", customer)
        key = stack.new_key(customer)
        pasted = subprocess.run(
            [bash, "-c", PRELUDE + before + "\n" + text],
            cwd=tmp_path,
            env=clean_environment(OCTAVO_URL=stack.url, OCTAVO_KEY=key, OCTAVO_DATA=str(stack.data)),
            capture_output=True,
            text=True,
            timeout=300,
            check=False,
        )
        assert pasted.returncode == 0, pasted.stdout[-2000:] + pasted.stderr[-2000:]
        return pasted.stdout

    return run


def test_the_readme_prints_the_text_of_the_document_twice(paste: Paste, tmp_path: Path) -> None:
    shown = paste(README, customer="pasted-readme")
    assert shown.splitlines().count(REPORT_TITLE) == 1, "by curl"
    assert f"# {REPORT_TITLE}" in shown, "by octavo extract"
    assert (tmp_path / "my-results" / "report.pdf.json").is_file()


@pytest.mark.parametrize(
    ("page", "tells"),
    [
        ("docs/howto/submit-a-folder.md", "locked.pdf: extraction_failed"),
        ("docs/howto/manage-customers.md", "0 differences"),
        ("docs/howto/extract-one-document.md", REPORT_TITLE),
        ("docs/howto/receive-webhooks.md", '"secret"'),
    ],
)
def test_a_page_can_be_pasted(paste: Paste, page: str, tells: str) -> None:
    assert tells in paste(page, customer="pasted-" + Path(page).stem)


@pytest.mark.parametrize(
    ("page", "tells"),
    [
        ("docs/howto/export-results.md", f"# {REPORT_TITLE}"),
        ("docs/howto/stage-and-follow-a-batch.md", '"retried"'),
    ],
)
def test_a_page_about_a_batch_can_be_pasted_after_one(paste: Paste, page: str, tells: str) -> None:
    before = ".venv/bin/octavo submit report.pdf .octavo/samples/locked.pdf"
    assert tells in paste(page, customer="pasted-" + Path(page).stem, before=before)
