"""The main job, as in the README: a key, a folder of documents, results on disk."""

import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from octavo.engines.sandbox.confinement import WALLS
from octavo.samples import make_samples
from tests.acceptance.stack import Stack, run_octavo, wait_for

GOOD = {"report.pdf": 2, "two-columns.pdf": 1, "scan.pdf": 1, "photo.jpg": 1}
BAD = {
    "damaged.pdf": "extraction_failed",
    "locked.pdf": "extraction_failed",
    "note.pdf": "unsupported_input",
    "empty.pdf": "unsupported_input",
}
CUSTOMER = "Müller & Söhne"


class Submission:
    """One `octavo submit --json` of the samples and an empty file, and what it left behind."""

    def __init__(self, stack: Stack, folder: Path) -> None:
        make_samples(folder / "samples")
        (folder / "samples" / "empty.pdf").touch()
        self.out = folder / "results"
        self.key = stack.new_key(CUSTOMER)
        self.ended: subprocess.CompletedProcess[str] = run_octavo(
            *("submit", str(folder / "samples"), "--key", self.key, "--url", stack.url),
            *("--out", str(self.out), "--json"),
            limit=100,
        )
        self.rows: dict[str, dict[str, Any]] = {
            row["file"]: row for row in map(json.loads, self.ended.stdout.splitlines())
        }

    @property
    def batch_id(self) -> str:
        (found,) = {row["batch_id"] for row in self.rows.values() if row["batch_id"]}
        return str(found)


@pytest.fixture(scope="module")
def submission(stack: Stack, tmp_path_factory: pytest.TempPathFactory) -> Submission:
    return Submission(stack, tmp_path_factory.mktemp("submission"))


def test_health_tells_of_each_part_and_where_people_look(stack: Stack) -> None:
    answer = stack.health()
    assert answer is not None
    assert answer.status_code == 200
    found = answer.json()
    assert found["status"] == "ok"
    names = ("ledger", "storage", "disk", "prefect", "worker", "archive", "schedules", "work")
    assert {name: part["status"] for name, part in found["parts"].items()} == dict.fromkeys(names, "ok")
    assert found["workers"] == ["embedded"]
    if sys.platform == "linux":
        assert found["sandbox"] == {"embedded": {"active": list(WALLS), "missing": []}}
    assert found["api_url"] == stack.url


def test_create_key_prints_the_key_and_nothing_else(stack: Stack) -> None:
    made = run_octavo("keys", "create", "--customer", "acme", "--data", str(stack.data))
    assert made.returncode == 0
    assert re.fullmatch(r"[\x21-\x7e]{20,}\n", made.stdout)
    assert made.stderr == ""


def test_good_samples_succeed_with_their_pages_and_bad_ones_fail_with_their_code(submission: Submission) -> None:
    rows = submission.rows
    assert {name: row["status"] for name, row in rows.items()} == dict.fromkeys(GOOD, "succeeded") | dict.fromkeys(
        BAD, "failed"
    )
    assert {name: rows[name]["page_count"] for name in GOOD} == GOOD
    assert all(rows[name]["chunk_count"] >= 1 for name in GOOD)
    assert {name: rows[name]["error"]["code"] for name in BAD} == BAD


def test_results_lie_on_disk_and_hold_chunks(submission: Submission) -> None:
    for name in GOOD:
        path = submission.out / f"{name}.json"
        assert submission.rows[name]["result"] == str(path)
        chunks = json.loads(path.read_text())["chunks"]
        assert len(chunks) == submission.rows[name]["chunk_count"]
    assert not [path for name in BAD for path in submission.out.glob(f"{name}*")]
    report = (submission.out / "report.pdf.json").read_text()
    assert "Water Levels of the Harbour Basin" in report
    kinds = {chunk["chunk_type"] for chunk in json.loads(report)["chunks"]}
    assert kinds == {"text", "table", "image"}
    assert "bridge" in (submission.out / "scan.pdf.json").read_text()


def test_items_are_listed_on_disk_as_they_were_printed(submission: Submission) -> None:
    lines = (submission.out / "items.jsonl").read_text().splitlines()
    rows = [json.loads(line) for line in lines]
    assert all(Path(row.pop("source")).is_file() for row in rows), "the list alone says where each file was"
    assert {row["file"]: row for row in rows} == submission.rows
    assert len(rows) == len(submission.rows)


def test_json_leaves_stdout_to_the_machine_and_tells_people_on_stderr(submission: Submission) -> None:
    assert submission.ended.returncode == 0
    assert len(submission.ended.stdout.splitlines()) == len(GOOD) + len(BAD)
    assert f"batch {submission.batch_id}: {len(GOOD) + len(BAD) - 1} files" in submission.ended.stderr
    assert f"{len(GOOD)} of {len(GOOD) + len(BAD)} files succeeded, 5 pages" in submission.ended.stderr


def test_fail_on_error_exits_with_3_and_the_table_has_a_row_per_file(
    stack: Stack, submission: Submission, tmp_path: Path
) -> None:
    # What a terminal library takes for markup is part of this file's name.
    folder = tmp_path / "in" / "[red]odd :bomb: name["
    folder.mkdir(parents=True)
    (folder / "].pdf").write_text("no document")
    ended = run_octavo(
        *("submit", str(tmp_path / "in"), "--url", stack.url, "--out", str(tmp_path / "out"), "--fail-on-error"),
        OCTAVO_KEY=submission.key,
    )
    assert ended.returncode == 3
    assert re.search(r"^\[red\]odd :bomb: name\[/\]\.pdf +failed +unsupported_input: ", ended.stdout, re.M)


# What Prefect shows of it


def test_the_flow_run_has_a_name_and_tags_a_person_understands(stack: Stack, submission: Submission) -> None:
    (run,) = stack.flow_runs(submission.batch_id)
    assert run["name"] == f"{CUSTOMER}: 7 files, {submission.batch_id}"
    customer_id = _customer_id(stack, submission)
    assert set(run["tags"]) >= {f"customer:{customer_id}", f"name:{CUSTOMER}", f"batch:{submission.batch_id}"}
    assert run["parameters"] == {"batch_id": submission.batch_id}


def test_the_flow_run_ends_in_a_named_state_with_counts(stack: Stack, submission: Submission) -> None:
    run = stack.wait_for_flow_run(submission.batch_id, "CompletedWithErrors")
    assert run["state"]["message"] == "4 ok, 3 failed: extraction_failed 2, unsupported_input 1"
    assert run["state_type"] == "COMPLETED"


def test_task_runs_are_named_by_customer_and_file(stack: Stack, submission: Submission) -> None:
    (run,) = stack.flow_runs(submission.batch_id)

    def names() -> set[str]:
        wanted = {"task_runs": {"flow_run_id": {"any_": [run["id"]]}}}
        return {task["name"] for task in stack.prefect("POST", "/task_runs/filter", wanted)}

    # Prefect writes task runs down some seconds late.
    wait_for(lambda: len(names()) == 7, limit=20, what="seven task runs")
    assert names() == {f"{CUSTOMER}: {name}" for name in (GOOD | BAD) if name != "empty.pdf"}


def test_a_failed_document_is_red_and_tells_why(stack: Stack, submission: Submission) -> None:
    (run,) = stack.flow_runs(submission.batch_id)
    wanted = {"task_runs": {"flow_run_id": {"any_": [run["id"]]}, "state": {"type": {"any_": ["FAILED"]}}}}

    def failed() -> list[Any]:
        found: list[Any] = stack.prefect("POST", "/task_runs/filter", wanted)
        return found if len(found) == 3 else []

    found = wait_for(failed, limit=20, what="three failed task runs")
    reasons = {task["name"]: task["state"]["message"] for task in found}
    assert reasons[f"{CUSTOMER}: locked.pdf"] == "extraction_failed: the PDF needs a password"
    assert all(message.startswith(("extraction_failed: ", "unsupported_input: ")) for message in reasons.values())
    assert {task["run_count"] for task in found} == {1}, "a document's own failure is not tried again"
    assert all({f"name:{CUSTOMER}"} <= set(task["tags"]) for task in found)


def test_artifacts_show_the_progress_and_the_failed_items(stack: Stack, submission: Submission) -> None:
    stack.wait_for_flow_run(submission.batch_id, "CompletedWithErrors")
    (run,) = stack.flow_runs(submission.batch_id)
    wanted = {"artifacts": {"flow_run_id": {"any_": [run["id"]]}}}
    found = {artifact["type"]: artifact for artifact in stack.prefect("POST", "/artifacts/filter", wanted)}
    assert set(found) == {"progress", "table"}
    assert float(found["progress"]["data"]) == 100.0
    assert CUSTOMER in found["progress"]["description"]
    table = json.loads(found["table"]["data"])
    assert {row["filename"]: row["code"] for row in table} == {
        name: code for name, code in BAD.items() if name != "empty.pdf"
    }


def _customer_id(stack: Stack, submission: Submission) -> str:
    (run,) = stack.flow_runs(submission.batch_id)
    (tag,) = [tag for tag in run["tags"] if tag.startswith("customer:")]
    return str(tag.removeprefix("customer:"))
