"""`octavo compare` reads a file with each engine and writes one page."""

from pathlib import Path

from typer.testing import CliRunner

from octavo.cli.app import app
from octavo.samples import make_damaged, make_report


def test_a_page_is_written_with_a_column_for_each_engine(tmp_path: Path) -> None:
    make_report(tmp_path / "report.pdf")
    make_damaged(tmp_path / "damaged.pdf")
    out = tmp_path / "compare.html"
    files = [str(tmp_path / name) for name in ("report.pdf", "damaged.pdf")]
    told = CliRunner().invoke(app, ["compare", *files, "--engines", "fast,layout", "--out", str(out)])
    assert told.exit_code == 0, told.output
    page = out.read_text(encoding="utf-8")
    assert page.count("<h3>fast</h3>") == page.count("<h3>layout</h3>") == 3
    assert "damaged" in page


def test_an_unknown_engine_is_told_in_one_line(tmp_path: Path) -> None:
    make_report(tmp_path / "report.pdf")
    told = CliRunner().invoke(app, ["compare", str(tmp_path / "report.pdf"), "--engines", "nonsense"])
    assert told.exit_code == 1
    assert not (tmp_path / "compare.html").exists()
