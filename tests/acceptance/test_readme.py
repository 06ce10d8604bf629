"""The README's walk with curl, pasted as it is printed, against a real stack."""

import re
import shutil
import subprocess
from pathlib import Path

from octavo.samples import REPORT_TITLE, make_report
from tests.acceptance.stack import Stack, clean_environment

README = Path(__file__).resolve().parents[2] / "README.md"


def curl_walk() -> str:
    """Return the commands of the README that stage, upload, submit, poll and fetch."""
    blocks = re.findall(r"^```sh\n(.*?)^```", README.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL)
    (walk,) = (block for block in blocks if "/v1/files" in block)
    return str(walk)


def test_the_readmes_walk_prints_the_text_of_the_document(stack: Stack, tmp_path: Path) -> None:
    bash = shutil.which("bash")
    assert bash is not None
    make_report(tmp_path / "report.pdf")
    walked = subprocess.run(
        [bash, "-e", "-o", "pipefail", "-c", curl_walk()],
        cwd=tmp_path,
        env=clean_environment(OCTAVO_URL=stack.url, OCTAVO_KEY=stack.new_key("reader")),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert walked.returncode == 0, walked.stderr
    assert walked.stdout.splitlines()[0] == REPORT_TITLE
