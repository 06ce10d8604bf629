"""What is printed: names as they are, errors in one line, tables with a row per file."""

import io
import os
import shutil
import subprocess
from dataclasses import replace
from pathlib import Path

import pytest
import typer

from octavo.cli import terminal
from octavo.cli.batch_bars import LongItems
from octavo.client.inputs import Input
from octavo.client.results_folder import ItemEnd
from octavo.errors import ServiceUnreachable


def ended(name: str, *, status: str = "succeeded", error: dict[str, object] | None = None) -> ItemEnd:
    return ItemEnd(
        input=Input(Path(name), name),
        batch_id="batch_1",
        item_id="item_1",
        status=status,
        page_count=None if error else 3,
        chunk_count=None if error else 12,
        error=error,
        result=None if error else Path("results") / f"{name}.json",
    )


@pytest.mark.parametrize("name", ["[red]a[/].pdf", "[/].pdf", ":bomb:.pdf", r"\[b].pdf", "ümläut.pdf"])
def test_a_file_name_is_shown_as_it_is(capsys: pytest.CaptureFixture[str], name: str) -> None:
    terminal.out.print(terminal.item_table([ended(name)]))
    assert f"{name} " in capsys.readouterr().out


def test_a_failed_file_shows_code_and_message(capsys: pytest.CaptureFixture[str]) -> None:
    error: dict[str, object] = {"code": "extraction_failed", "message": "[Errno 5] it is locked"}
    terminal.out.print(terminal.item_table([ended("a.pdf", status="failed", error=error)]))
    heading, row = capsys.readouterr().out.splitlines()
    assert heading.split() == ["file", "status", "pages", "chunks", "result", "or", "error"]
    assert row.split(maxsplit=2) == ["a.pdf", "failed", "extraction_failed: [Errno 5] it is locked"]


def test_an_error_of_several_lines_becomes_one(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(typer.Exit) as left, terminal.errors_in_one_line():
        raise ServiceUnreachable("<html>\n  <body>\n 502")
    assert left.value.exit_code == 1
    assert capsys.readouterr().err == "octavo: <html> <body> 502\n"


def test_an_error_of_the_operating_system_names_the_file(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    with pytest.raises(typer.Exit) as left, terminal.errors_in_one_line():
        (tmp_path / "no" / "file").read_text()
    assert left.value.exit_code == 1
    assert capsys.readouterr().err == f"octavo: No such file or directory: {tmp_path}/no/file\n"


def test_a_defect_keeps_its_traceback() -> None:
    with pytest.raises(ZeroDivisionError), terminal.errors_in_one_line():
        raise ZeroDivisionError


def test_an_interrupt_exits_with_130() -> None:
    with pytest.raises(typer.Exit) as left, terminal.errors_in_one_line():
        raise KeyboardInterrupt
    assert left.value.exit_code == 130


def test_a_terminal_that_is_gone_does_not_end_the_stack(monkeypatch: pytest.MonkeyPatch) -> None:
    read, write = os.pipe()
    os.close(read)
    with io.FileIO(write, "w") as raw:
        monkeypatch.setattr("sys.stderr", io.TextIOWrapper(io.BufferedWriter(raw), write_through=True))
        terminal.tell("worker", "starting")
        monkeypatch.undo()


def test_pages_of_long_items_are_told_while_they_run() -> None:
    pages = LongItems()
    running = {"id": "item_1", "pages_done": 17, "pages_total": 300}
    short = {"id": "item_2", "pages_done": None, "pages_total": None}
    assert pages.told({"items": [short]}) == ""
    assert pages.told({"items": [running, short]}) == "17 of 300 pages of long files"
    assert pages.told({"items": [running | {"id": "item_3", "pages_done": 3}]}) == "20 of 600 pages of long files"
    assert (
        pages.told({"items": [running | {"pages_done": None, "pages_total": None}]}) == "3 of 300 pages of long files"
    )
    assert pages.told({"items": [{"id": "item_3"}]}) == "", "a service that tells nothing of pages"


def test_names_cannot_act_on_the_terminal(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(terminal.out, "width", 200)
    name = "a\n\x1b[2Jb" + os.fsdecode(b"\xe9") + ".pdf"
    error: dict[str, object] = {"code": "extraction_failed", "message": f"cannot open {name}"}
    terminal.out.print(terminal.item_table([ended(name), ended(name, status="failed", error=error)]))
    with pytest.raises(typer.Exit), terminal.errors_in_one_line():
        raise ServiceUnreachable(f"{name} is in the way")
    shown = capsys.readouterr()
    assert shown.out.count(r"a\n\x1b[2Jb\xe9.pdf") == 4
    assert "\x1b" not in shown.out + shown.err
    assert len(shown.out.splitlines()) == 3


def test_a_cancelled_file_has_neither_result_nor_error(capsys: pytest.CaptureFixture[str]) -> None:
    cancelled = replace(ended("a.pdf", status="cancelled"), result=None)
    terminal.out.print(terminal.item_table([cancelled]))
    assert capsys.readouterr().out.splitlines()[1].split() == ["a.pdf", "cancelled", "3", "12"]


@pytest.mark.parametrize(
    "text",
    [
        "results",
        "my results",
        "it's",
        "a\nb",
        "\x1b[31m",
        os.fsdecode(b"caf\xe9"),
        "$HOME",
        "é",
        "a'b\x07'0",
        "~",
        "-x",
    ],
)
def test_a_word_to_paste_is_one_word_for_the_shell(text: str) -> None:
    shell = shutil.which("bash")
    assert shell is not None
    word = terminal.shell_word(text)
    assert word.isprintable()
    told = subprocess.run([shell, "-c", f"printf '%s' {word}"], capture_output=True, check=True)
    assert told.stdout == os.fsencode(text)
