"""A folder of results: no result overwrites another's, and `items.jsonl` says how every file in it ended."""

import json
import os
from pathlib import Path
from typing import Any

from octavo.client.inputs import Input
from octavo.client.results_folder import ItemEnd, ResultsFolder

BODY = b'{"chunks": [{"page_content": "a"}], "warnings": ["page 2 is damaged"]}'


def item(position: int = 0, *, batch: str = "batch_1", status: str = "succeeded", at: str = "then") -> dict[str, Any]:
    return {
        "id": f"item_{batch}_{position}",
        "batch_id": batch,
        "position": position,
        "status": status,
        "completed_at": at,
        "page_count": 2,
        "error": None,
    }


def write(folder: ResultsFolder, found: Input, row: dict[str, Any]) -> ItemEnd:
    end = folder.write(found, row, BODY)
    folder.add(end)
    return end


def rows(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (path / "items.jsonl").read_text().splitlines()]


def names(found: list[Input]) -> list[str]:
    return [one.name for one in found]


def test_names_that_occur_twice_are_numbered_before_their_suffix(tmp_path: Path) -> None:
    folder = ResultsFolder(tmp_path)
    given = [Input(Path("/x/a.pdf"), "a.pdf"), Input(Path("/y/a.pdf"), "a.pdf"), Input(Path("/y/a.2.pdf"), "a.2.pdf")]
    assert names(folder.named(given)) == ["a.pdf", "a.2.pdf", "a.2.2.pdf"]


def test_a_result_and_a_folder_do_not_want_the_same_name(tmp_path: Path) -> None:
    folder = ResultsFolder(tmp_path)
    given = [Input(Path("/x/a"), "a"), Input(Path("/x/a.json/b"), "a.json/b")]
    for position, found in enumerate(folder.named(given)):
        write(folder, found, item(position))
    assert sorted(str(path.relative_to(tmp_path)) for path in tmp_path.rglob("*.json")) == [
        "a.2.json",
        "a.json",
        "a.json/b.json",
    ]


def test_names_that_this_file_system_takes_for_one_are_numbered(tmp_path: Path) -> None:
    folder = ResultsFolder(tmp_path)
    given = [Input(Path(f"/x/{name}"), name) for name in ("A.pdf", "a.pdf", "\u00e9.pdf", "e\u0301.pdf")]
    tells_apart = folder._is_exact
    assert len(set(names(folder.named(given)))) == 4
    assert (names(folder.named(given)) == names(given)) is tells_apart
    folder._is_exact = False
    assert names(folder.named(given)) == ["A.pdf", "a.2.pdf", "\u00e9.pdf", "e\u0301.2.pdf"]


def test_a_second_batch_replaces_lines_of_its_own_files_and_keeps_all_others(tmp_path: Path) -> None:
    one, two, other = (Input(Path(f"/x/{name}"), name) for name in ("1.pdf", "2.pdf", "3.pdf"))
    first = ResultsFolder(tmp_path)
    for position, found in enumerate([one, two]):
        write(first, found, item(position))
    first.put_in_order()
    second = ResultsFolder(tmp_path)
    assert names(second.named([two, other])) == ["2.pdf", "3.pdf"], "the same file again"
    for position, found in enumerate([two, other]):
        write(second, found, item(position, batch="batch_2"))
    second.put_in_order()
    assert [(row["file"], row["batch_id"]) for row in rows(tmp_path)] == [
        ("1.pdf", "batch_1"),
        ("2.pdf", "batch_2"),
        ("3.pdf", "batch_2"),
    ]


def test_a_file_of_the_same_name_from_elsewhere_does_not_overwrite_an_earlier_result(tmp_path: Path) -> None:
    folder = ResultsFolder(tmp_path)
    write(folder, Input(Path("/x/a.pdf"), "a.pdf"), item())
    again = ResultsFolder(tmp_path)
    assert names(again.named([Input(Path("/y/a.pdf"), "a.pdf")])) == ["a.2.pdf"]


def test_what_was_expected_is_remembered_in_the_order_of_submission(tmp_path: Path) -> None:
    found = [Input(Path(f"/x/{name}"), name) for name in ("b.pdf", "a.pdf", os.fsdecode(b"caf\xe9.pdf"))]
    folder = ResultsFolder(tmp_path)
    folder.expect("batch_1", dict(enumerate(found)))
    write(folder, found[1], item(1))
    later = ResultsFolder(tmp_path)
    assert later.expected("batch_1") == dict(enumerate(found))
    later.put_in_order()
    assert [(row["file"], row["status"]) for row in rows(tmp_path)] == [
        ("b.pdf", "pending"),
        ("a.pdf", "succeeded"),
        (r"caf\xe9.pdf", "pending"),
    ]


def test_only_a_result_of_this_very_end_is_kept(tmp_path: Path) -> None:
    found = Input(Path("/x/a.pdf"), "a.pdf")
    folder = ResultsFolder(tmp_path)
    end = write(folder, found, item())
    assert ResultsFolder(tmp_path).kept(found, item()) == end
    assert ResultsFolder(tmp_path).kept(found, item(at="later")) is None, "it was read again"
    assert ResultsFolder(tmp_path).kept(found, item(batch="batch_2")) is None
    assert end.result is not None
    end.result.unlink()
    assert ResultsFolder(tmp_path).kept(found, item()) is None, "somebody deleted the file"


def test_a_line_that_was_cut_short_is_none(tmp_path: Path) -> None:
    (tmp_path / "items.jsonl").write_text('{"file": "a.pdf", "status": "failed"}\n[1]\n{"file": "b.p')
    folder = ResultsFolder(tmp_path)
    folder.put_in_order()
    assert [row["file"] for row in rows(tmp_path)] == ["a.pdf"]


def test_two_processes_may_write_into_one_folder(tmp_path: Path) -> None:
    one, two = ResultsFolder(tmp_path), ResultsFolder(tmp_path)
    write(one, Input(Path("/x/1.pdf"), "1.pdf"), item(batch="batch_1"))
    write(two, Input(Path("/x/2.pdf"), "2.pdf"), item(batch="batch_2"))
    one.put_in_order()
    write(two, Input(Path("/x/3.pdf"), "3.pdf"), item(1, batch="batch_2"))
    two.put_in_order()
    assert [row["file"] for row in rows(tmp_path)] == ["1.pdf", "2.pdf", "3.pdf"]


def test_nothing_but_results_and_the_list_is_left_in_the_folder(tmp_path: Path) -> None:
    folder = ResultsFolder(tmp_path)
    long = "x" * 255
    write(folder, Input(Path("/x") / long, long), item())
    folder.put_in_order()
    assert len(list(tmp_path.iterdir())) == 2
