"""The contract's walk as a user would write it: the script in the docs, run as printed."""

import json
import re
import subprocess
import sys
from pathlib import Path

from octavo.samples import make_samples
from tests.acceptance.stack import Stack

PAGE = Path(__file__).parents[2] / "docs" / "howto" / "use-a-client-of-your-own.md"


def test_the_script_of_the_docs_takes_a_folder_through_the_service(stack: Stack, tmp_path: Path) -> None:
    (script,) = re.findall(r"```python\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.S)
    assert "octavo" not in script
    (tmp_path / "walk.py").write_text(script, encoding="utf-8")
    make_samples(tmp_path / "scans")
    ended = subprocess.run(
        [sys.executable, "walk.py", stack.url, stack.new_key("walk"), "scans", "results"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
    )
    assert ended.returncode == 0, ended.stderr
    found = sorted(path.name for path in (tmp_path / "results").iterdir())
    assert found == ["photo.jpg.json", "report.pdf.json", "scan.pdf.json", "two-columns.pdf.json"]
    assert json.loads((tmp_path / "results" / "report.pdf.json").read_text(encoding="utf-8"))["page_count"] == 2
    assert ended.stdout.splitlines()[-1] == "partially_failed: 4 succeeded, 3 failed"
    assert "damaged.pdf: extraction_failed" in ended.stdout
