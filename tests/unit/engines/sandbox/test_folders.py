"""Removing what a hostile document has made of its folder."""

import os
import stat
from pathlib import Path

import pytest

from octavo.engines.contract import Limits
from octavo.engines.sandbox.folders import remove_folder
from octavo.engines.sandbox.usage import Usage, exceeded_limit, usage_of

DEPTH = 1500


def make_deep(folder: Path) -> None:
    """Make folders within folders, deeper than a path can be long, a file in each."""
    descriptor = os.open(folder, os.O_RDONLY)
    for _ in range(DEPTH):
        os.mkdir("deep", dir_fd=descriptor)
        os.close(os.open("file", os.O_CREAT | os.O_WRONLY, dir_fd=descriptor))
        inner = os.open("deep", os.O_RDONLY, dir_fd=descriptor)
        os.close(descriptor)
        descriptor = inner
    os.close(descriptor)


def test_a_folder_is_removed_however_deep_it_is(tmp_path: Path) -> None:
    folder = tmp_path / "folder"
    folder.mkdir()
    make_deep(folder)
    remove_folder(folder)
    assert list(tmp_path.iterdir()) == []


def test_names_that_are_taken_and_modes_that_forbid_do_not_keep_a_folder(tmp_path: Path) -> None:
    folder = tmp_path / "folder"
    for name in ("a/.0/b/.1", ".0/.0/.0", ".1/.2/file"):
        (folder / name).mkdir(parents=True)
    for name in (".2", "a/.3"):
        (folder / name).write_text("here")
    (folder / "a" / ".0").chmod(stat.S_IWUSR | stat.S_IXUSR)
    (folder / ".1" / ".2").chmod(0)
    remove_folder(folder)
    assert list(tmp_path.iterdir()) == []


def test_what_a_link_leads_to_stays(tmp_path: Path) -> None:
    kept, folder = tmp_path / "kept", tmp_path / "folder"
    kept.mkdir(mode=0o750)
    (kept / "file").write_text("kept")
    (folder / "inner").mkdir(parents=True)
    (folder / "link").symlink_to(kept)
    (folder / "inner" / "link").symlink_to(kept, target_is_directory=True)
    remove_folder(folder)
    assert (kept / "file").read_text() == "kept"
    assert stat.S_IMODE(kept.stat().st_mode) == 0o750
    remove_folder(kept / "file")
    remove_folder(tmp_path / "nowhere")
    assert (kept / "file").exists()


@pytest.mark.skipif(not Path("/proc/self/task").exists(), reason="nothing is counted here")
def test_a_folder_that_cannot_be_looked_through_is_over_every_limit(tmp_path: Path) -> None:
    folder = tmp_path / "folder"
    folder.mkdir()
    make_deep(folder)
    limits = Limits()
    assert exceeded_limit(usage_of(os.getpid(), folder, limits), Usage(10**6, 10**6, 10**12), limits) is not None
    remove_folder(folder)
