"""`octavo submit` and `octavo fetch` as people see them: the summary first, and what to do next."""

import json
import shlex
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from octavo.cli import submitting
from octavo.cli.batch_bars import note
from octavo.client import customer as customer_client
from octavo.client.inputs import Input
from octavo.client.results_folder import ItemEnd
from octavo.directory import DataDirectory, free_port
from octavo.errors import OctavoError, ServiceUnreachable
from tests.unit.api.service import ADMIN_TOKEN
from tests.unit.cli.conftest import Octavo
from tests.unit.client.stack import Stack, running_stack


def end(number: int, status: str = "succeeded", *, failed_pages: int = 0) -> ItemEnd:
    return ItemEnd(
        input=Input(Path(f"{number}.pdf"), f"{number}.pdf"),
        batch_id="batch_1",
        item_id=f"item_{number}",
        status=status,
        page_count=2 if status == "succeeded" else None,
        chunk_count=1,
        error={"code": "extraction_failed", "message": "damaged"} if status == "failed" else None,
        result=Path(f"results/{number}.pdf.json") if status == "succeeded" else None,
        failed_pages=failed_pages,
    )


@pytest.fixture
def document(tmp_path: Path) -> Path:
    path = tmp_path / "note.txt"
    path.write_text("a note")
    return path


@pytest.fixture
def stack(tmp_path: Path) -> Iterator[Stack]:
    with running_stack(tmp_path / "data") as made:
        yield made


# What is shown at the end


def test_the_summary_comes_first_and_rows_only_for_what_did_not_succeed(capsys: pytest.CaptureFixture[str]) -> None:
    ends = [end(number) for number in range(2980)] + [end(2980 + n, "failed") for n in range(4)]
    ends += [end(2984 + n, "cancelled") for n in range(16)]
    assert not submitting.show(ends, Path("results"), as_json=False, show_all=False)
    summary, _, *rows = capsys.readouterr().out.splitlines()
    assert summary.startswith("2,980 of 3,000 files succeeded, 5,960 pages; 4 failed; 16 cancelled.")
    assert len(rows) == 20
    assert not [row for row in rows if "None" in row]


def test_a_screen_of_failures_is_enough_and_all_are_shown_on_request(capsys: pytest.CaptureFixture[str]) -> None:
    ends = [end(number, "failed") for number in range(3000)]
    submitting.show(ends, Path("results"), as_json=False, show_all=False)
    shown = capsys.readouterr().out.splitlines()
    assert len(shown) == 53
    assert shown[-1] == "and 2,950 more; --all shows every file, and so does results/items.jsonl"
    submitting.show(ends, Path("results"), as_json=False, show_all=True)
    assert len(capsys.readouterr().out.splitlines()) == 3002


def test_if_all_succeeded_one_line_is_all(capsys: pytest.CaptureFixture[str]) -> None:
    assert submitting.show([end(1)], Path("out"), as_json=False, show_all=False)
    assert capsys.readouterr().out == (
        "1 of 1 file succeeded, 2 pages. Results are in out, the list of all files in out/items.jsonl\n"
    )


def test_pages_that_could_not_be_read_are_told(capsys: pytest.CaptureFixture[str]) -> None:
    submitting.show([end(1, failed_pages=1)], Path("out"), as_json=False, show_all=False)
    summary, _, row = capsys.readouterr().out.splitlines()
    assert "2 pages, of which 1 could not be read" in summary
    assert row.startswith("1.pdf")


def test_a_lost_result_is_no_success(capsys: pytest.CaptureFixture[str]) -> None:
    lost = replace(end(1), result=None, error={"code": "result_expired", "message": "gone"})
    assert not submitting.show([lost], Path("out"), as_json=False, show_all=False)
    assert "1 without a result" in capsys.readouterr().out


def test_json_for_programs_is_all_that_is_on_stdout(capsys: pytest.CaptureFixture[str]) -> None:
    submitting.show([end(1), end(2, "cancelled")], Path("out"), as_json=True, show_all=False)
    shown = capsys.readouterr()
    assert [json.loads(line)["status"] for line in shown.out.splitlines()] == ["succeeded", "cancelled"]
    assert shown.err.startswith("1 of 2 files")


# What stands beside the bar


def test_the_bar_tells_how_long_and_why() -> None:
    counts = {"pending": 5, "running": 8, "succeeded": 1, "failed": 2, "cancelled": 0}
    body = {"status": "running", "counts": counts, "eta_seconds": 40, "reason": "customer_cap"}
    assert note(body, "") == "8 running, 2 failed, about 40 s left, as many files in work as your cap allows"
    assert note(body | {"eta_seconds": 600, "reason": None}, "") == "8 running, 2 failed, about 10 min left"
    assert note(body | {"eta_seconds": 9000, "reason": "work_pool_paused"}, "").endswith("2.5 h left, work pool paused")
    assert note({"status": "running", "counts": counts}, "3 of 300 pages") == "8 running, 2 failed, 3 of 300 pages"


def test_the_last_bar_tells_what_was_cancelled() -> None:
    counts = {"pending": 0, "running": 0, "succeeded": 8, "failed": 0, "cancelled": 16}
    assert note({"status": "completed", "counts": counts, "eta_seconds": None, "reason": None}, "") == "16 cancelled"


# What goes wrong


def test_a_wrong_key_is_told_in_the_words_of_the_command_line(octavo: Octavo, stack: Stack, document: Path) -> None:
    for command in (["submit", document], ["fetch", "batch_1"]):
        found = octavo(*command, "--key", "wrong", "--url", stack.url, "--out", document.parent / "out")
        assert found.exit_code == 1
        assert "--key" in found.stderr
        assert "OCTAVO_KEY" in found.stderr
        assert "X-API-KEY" not in found.stderr


@pytest.mark.parametrize("command", ["submit", "fetch"])
def test_a_service_that_is_down_is_told_at_the_first_attempt_and_given_up_soon(
    octavo: Octavo, document: Path, monkeypatch: pytest.MonkeyPatch, command: str
) -> None:
    told: list[str] = []
    monkeypatch.setattr(customer_client, "FIRST_PAUSE_SECONDS", 0.01)
    monkeypatch.setattr(customer_client, "LONGEST_PAUSE_SECONDS", 0.01)
    monkeypatch.setattr(submitting, "warn", told.append)
    url = f"http://127.0.0.1:{free_port()}"
    found = octavo(command, document, "--key", "k", "--url", url, "--out", document.parent / "out")
    assert found.exit_code == 1
    assert f"after {customer_client.ATTEMPTS} attempts" in found.stderr
    (line,) = told
    assert line.startswith(f"no good answer from {url}")
    assert "Connection refused" in line
    assert line.endswith("trying again")


def test_an_outage_is_told_once_and_then_now_and_again() -> None:
    told: list[str] = []
    outage = submitting.Outage(told.append)
    for _ in range(100):
        outage("no answer")
    assert told == ["no answer"]
    patient = submitting.Outage(told.append, quiet_seconds=0)
    for _ in range(3):
        patient("still none")
    assert told == ["no answer", *["still none"] * 3]


@pytest.mark.parametrize("error", [KeyboardInterrupt(), ServiceUnreachable("away"), OSError(28, "No space left")])
def test_whatever_interrupts_says_how_to_go_on(capsys: pytest.CaptureFixture[str], error: BaseException) -> None:
    def interrupted() -> None:
        with submitting._continued("http://h:1/?a=1&b", Path("my results")) as submitted:
            submitted.append("batch_1")
            raise error

    with pytest.raises(type(error)):
        interrupted()
    (line,) = capsys.readouterr().err.splitlines()
    command = shlex.split(line.partition("is missing: ")[2])
    assert command[1:] == ["fetch", "batch_1", "--url", "http://h:1/?a=1&b", "--out", "my results"]


def test_nothing_was_submitted_so_there_is_nothing_to_continue(capsys: pytest.CaptureFixture[str]) -> None:
    def failing() -> None:
        with submitting._continued("http://h:1", Path("out")):
            raise ServiceUnreachable("away")

    with pytest.raises(OctavoError):
        failing()
    assert capsys.readouterr().err == ""


def test_somebody_at_a_terminal_is_asked_for_a_key(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stdin.isatty", lambda: True, raising=False)
    monkeypatch.setattr("typer.prompt", lambda *_, hide_input, **__: " k " if hide_input else "shown")
    assert submitting._given_or_asked(None) == "k"
    assert submitting._given_or_asked("given") == "given"


def test_a_limit_out_of_range_is_told_by_its_option(octavo: Octavo, stack: Stack) -> None:
    directory = DataDirectory(stack.service.settings.data)
    directory.prepare()
    directory.write_notes(internal_api_url=stack.url)
    secret = directory.path / "secrets" / "admin_token"
    secret.parent.mkdir(exist_ok=True)
    secret.write_text(ADMIN_TOKEN)
    for option, told in (
        ("--cap=0", "--cap: Input should be greater than or equal to 1"),
        ("--rate=0", "--rate: Input should be greater than or equal to 1"),
        ("--retention=99999999999", "--retention: Input should be less than or equal to"),
    ):
        found = octavo("customers", "create", "globex", option, "--data", directory.path)
        assert found.exit_code == 1
        (line,) = found.stderr.splitlines()
        assert told in line
        assert "{" not in line
