"""What is submitted of a folder: its files, and nothing that lies elsewhere or would keep somebody waiting."""

import os
import socket
from pathlib import Path

import pytest

from octavo.client.inputs import Input, Skipped, UnreadableFile, exactly, find_inputs, opened, size_of
from octavo.errors import InvalidSettings


def look(*paths: Path, follow_links: bool = False) -> tuple[list[Input], dict[str, str]]:
    skipped: list[Skipped] = []
    found = find_inputs(paths, follow_links=follow_links, on_skipped=skipped.append)
    return found, {one.path.name: one.reason for one in skipped}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    made = tmp_path / "in"
    (made / "deep").mkdir(parents=True)
    (made / "a.pdf").write_bytes(b"1")
    (made / "deep" / "b.pdf").write_bytes(b"2")
    return made


def test_inputs_are_files_and_all_below_folders_but_hidden_ones(folder: Path) -> None:
    (folder / ".hidden").mkdir()
    (folder / ".hidden" / "c.pdf").write_bytes(b"3")
    (folder / ".DS_Store").write_bytes(b"x")
    found, skipped = look(folder, folder / "a.pdf")
    assert [each.name for each in found] == ["a.pdf", "deep/b.pdf", "a.pdf"]
    assert found[0] == Input(folder / "a.pdf", "a.pdf")
    assert not skipped


def test_inputs_that_are_not_there_are_told(tmp_path: Path) -> None:
    with pytest.raises(InvalidSettings, match="There is no file or folder"):
        find_inputs([tmp_path / "nothing"])
    (tmp_path / "empty").mkdir()
    with pytest.raises(InvalidSettings):
        find_inputs([tmp_path / "empty"])


def test_links_are_skipped_and_told(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("root:x:0:0")
    (folder / "link.txt").symlink_to(tmp_path / "secret")
    (folder / "elsewhere").symlink_to(tmp_path)
    (folder / "broken.pdf").symlink_to(tmp_path / "nothing")
    found, skipped = look(folder, folder / "link.txt")
    assert [each.name for each in found] == ["a.pdf", "deep/b.pdf"]
    assert set(skipped) == {"link.txt", "elsewhere", "broken.pdf"}
    assert all("--follow-links" in reason for reason in skipped.values())


def test_links_are_followed_on_request_but_not_in_circles(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "real.pdf").write_bytes(b"3")
    (folder / "link.pdf").symlink_to(tmp_path / "real.pdf")
    (folder / "deep" / "up").symlink_to(folder)
    (folder / "itself").symlink_to(folder / "itself")
    (folder / "broken.pdf").symlink_to(tmp_path / "nothing")
    found, skipped = look(folder, follow_links=True)
    assert [each.name for each in found] == ["a.pdf", "deep/b.pdf", "link.pdf"]
    assert found[-1].path == tmp_path / "real.pdf"
    assert set(skipped) == {"up", "itself", "broken.pdf"}


def test_links_that_double_at_each_step_are_not_all_walked(tmp_path: Path) -> None:
    for number in range(60):
        step = tmp_path / "in" / f"{number:02}"
        step.mkdir(parents=True)
        (step / "left").symlink_to(tmp_path / "in" / f"{number + 1:02}")
        (step / "right").symlink_to(tmp_path / "in" / f"{number + 1:02}")
    (tmp_path / "in" / "60").mkdir()
    (tmp_path / "in" / "60" / "a.pdf").write_bytes(b"1")
    found, _ = look(tmp_path / "in", follow_links=True)
    assert len(found) == 1


def test_what_is_no_file_is_skipped_and_never_opened(folder: Path) -> None:
    os.mkfifo(folder / "pipe.pdf")
    with socket.socket(socket.AF_UNIX) as listener:
        # The path of a socket has few characters.
        before = Path.cwd()
        os.chdir(folder)
        listener.bind("socket.pdf")
        os.chdir(before)
    found, skipped = look(folder, Path("/dev/null"))
    assert [each.name for each in found] == ["a.pdf", "deep/b.pdf"]
    assert skipped == {"pipe.pdf": "a named pipe", "socket.pdf": "a socket", "null": "a device"}


def test_a_file_that_has_become_a_pipe_or_a_link_is_not_read(folder: Path, tmp_path: Path) -> None:
    (folder / "a.pdf").unlink()
    os.mkfifo(folder / "a.pdf")
    (folder / "deep" / "b.pdf").unlink()
    (folder / "deep" / "b.pdf").symlink_to(tmp_path)
    for path in (folder / "a.pdf", folder / "deep" / "b.pdf", folder / "gone.pdf"):
        with pytest.raises(UnreadableFile):
            size_of(path)


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_a_folder_that_cannot_be_read_is_skipped_and_told(folder: Path) -> None:
    (folder / "deep").chmod(0)
    try:
        found, skipped = look(folder)
    finally:
        (folder / "deep").chmod(0o755)
    assert [each.name for each in found] == ["a.pdf"]
    assert skipped == {"deep": "Permission denied"}


@pytest.mark.parametrize("data", [b"", b"1", b"12", b"1234"])
def test_a_file_of_another_size_than_announced_is_not_passed_off_as_it(folder: Path, data: bytes) -> None:
    (folder / "a.pdf").write_bytes(data)
    with opened(folder / "a.pdf") as stream, pytest.raises(UnreadableFile):
        list(exactly(stream, 3, piece_bytes=2))


def test_a_file_is_read_as_announced(folder: Path) -> None:
    (folder / "a.pdf").write_bytes(b"123")
    with opened(folder / "a.pdf") as stream:
        assert list(exactly(stream, 3, piece_bytes=2)) == [b"12", b"3"]
