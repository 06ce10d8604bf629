"""What engines and documents do to the sandbox, and that it holds. Driven by the shipped `failing` engine."""

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from octavo.documents import Document
from octavo.engines.contract import Limits, Source
from octavo.engines.registry import TEST_ENGINES, EngineRegistry
from octavo.engines.sandbox.failures import ChildLost
from octavo.errors import DOCUMENT_ERRORS, ExtractionFailed, InternalError, UnknownEngine
from octavo.extraction.extractor import Extractor
from octavo.parse_options import ParseOptions
from tests.engines_bad.engines import REFERENCES
from tests.observers import Observing

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="the sandbox is complete on Linux only")

LIMITS = replace(
    Limits(), wall_seconds=30.0, page_seconds=20.0, memory_bytes=400 * 1024**2, cpu_seconds=20, documents_per_child=3
)

HASTY = replace(LIMITS, page_seconds=1.0)
REGISTRY = EngineRegistry({**TEST_ENGINES, **REFERENCES})
PATIENCE_SECONDS = 15.0

Read = Callable[..., Document]


@pytest.fixture(scope="module")
def work_directory(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("work")


@pytest.fixture(scope="module")
def extractor(work_directory: Path) -> Iterator[Extractor]:
    with Extractor(processes=2, limits=LIMITS, registry=REGISTRY, work_directory=work_directory) as extractor:
        yield extractor


@pytest.fixture
def read(extractor: Extractor, tmp_path: Path) -> Read:
    def read(word: str, *, engine: str = "failing", extractor: Extractor = extractor) -> Document:
        path = tmp_path / "document"
        path.write_text(word)
        return extractor.extract(Source(path), ParseOptions(engine=engine)).document

    return read


def until(claim: Callable[[], bool]) -> None:
    end = time.monotonic() + PATIENCE_SECONDS
    while not claim():
        assert time.monotonic() < end, "it did not happen in time"
        time.sleep(0.01)


def processes_in(group_or_parent: int) -> list[int]:
    """Return the living processes of a group, or the children of a process."""
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                state, parent, group = (entry / "stat").read_text().rpartition(")")[2].split()[:3]
            except OSError:
                continue
            if state != "Z" and group_or_parent in (int(parent), int(group)):
                found.append(int(entry.name))
    return found


@pytest.mark.parametrize("code", sorted(DOCUMENT_ERRORS))
def test_a_document_error_of_the_child_comes_out_as_itself(read: Read, code: str) -> None:
    with pytest.raises(DOCUMENT_ERRORS[code], match=f"asked for {code}"):
        read(code)


def test_a_crash_is_tried_once_more_and_then_is_the_documents_failure(read: Read) -> None:
    with pytest.raises(ExtractionFailed, match=r"crashed twice.*SIGABRT"):
        read("crash")


def test_a_defect_of_the_engine_is_tried_once_more(read: Read) -> None:
    with pytest.raises(ExtractionFailed, match=r"crashed twice.*RuntimeError"):
        read("defect")


def test_a_child_that_somebody_killed_is_not_the_documents_fault(read: Read) -> None:
    with pytest.raises(ChildLost, match="SIGKILL"):
        read("killed")


def test_a_hang_ends_within_the_limit(read: Read) -> None:
    with Extractor(processes=1, limits=HASTY, registry=REGISTRY) as extractor:
        extractor.warm_up()
        started = time.monotonic()
        with pytest.raises(ExtractionFailed, match="no page was finished within 1 s"):
            read("hang", extractor=extractor)
    assert HASTY.page_seconds < time.monotonic() - started < 60 * HASTY.page_seconds


def test_what_a_hanging_child_has_started_ends_with_it(tmp_path: Path) -> None:
    path = tmp_path / "document"
    path.write_text("grandchild")
    groups: list[int] = []

    with Extractor(processes=1, limits=HASTY, registry=REGISTRY) as hasty:
        hasty.warm_up()

        def await_grandchild(_: int) -> None:
            assert hasty.fork_server_pid is not None
            (child,) = (pid for pid in processes_in(hasty.fork_server_pid) if pid != hasty.fork_server_pid)
            until(lambda: len(processes_in(child)) >= 2)
            groups.append(child)

        with pytest.raises(ExtractionFailed, match="no page was finished within 1 s"):
            hasty.extract(Source(path), ParseOptions(engine="failing"), Observing(on_counted=await_grandchild))
        until(lambda: processes_in(groups[0]) == [])


def test_eating_memory_is_the_documents_failure(read: Read) -> None:
    with pytest.raises(ExtractionFailed, match="more than 400 MiB of memory"):
        read("memory")


def test_eating_processor_time_is_the_documents_failure(tmp_path: Path) -> None:
    limits = replace(LIMITS, cpu_seconds=1)
    path = tmp_path / "document"
    path.write_text("hang")
    with (
        Extractor(processes=1, limits=limits, registry=REGISTRY) as extractor,
        pytest.raises(ExtractionFailed, match="processor time"),
    ):
        extractor.extract(Source(path), ParseOptions(engine="failing"))


def test_processor_time_is_counted_anew_for_each_document(tmp_path: Path) -> None:
    limits = replace(LIMITS, cpu_seconds=1, documents_per_child=10)
    path = tmp_path / "document"
    path.write_text("busy")
    with Extractor(processes=1, limits=limits, registry=REGISTRY) as extractor:
        texts = {
            extractor.extract(Source(path), ParseOptions(engine="failing")).document.blocks[0].text for _ in range(4)
        }
    assert len(texts) == 1, "one child served all of them"


def test_a_broken_answer_is_refused(read: Read) -> None:
    with pytest.raises(ExtractionFailed, match="broken answer"):
        read("lie")


def test_an_answer_that_is_too_large_is_not_taken_in(read: Read) -> None:
    with pytest.raises(ExtractionFailed, match=f"the images have {256 * 1024**2} bytes"):
        read("flood")


@pytest.mark.parametrize("engine", ["many-pages", "script-image", "missing-image"])
def test_an_engine_that_lies_is_refused(read: Read, engine: str) -> None:
    with pytest.raises(ExtractionFailed, match="broken answer"):
        read("anything", engine=engine)


def test_there_is_no_network(read: Read) -> None:
    assert read("network").blocks[0].text == "refused: Permission denied"


def test_nothing_can_be_written_outside_the_childs_folder(read: Read) -> None:
    assert read("write").blocks[0].text == "refused: Permission denied"
    assert not Path.home().joinpath("octavo-was-here").exists()


def test_nothing_can_be_read_outside_of_programs_and_libraries(read: Read, tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.write_text("the key")
    assert read(f"read {secret}").blocks[0].text == "refused: Permission denied"


def test_secrets_of_the_owner_are_not_in_the_childs_environment(
    read: Read, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OCTAVO_SECRET_KEY", "xyzzy")
    with Extractor(processes=1, limits=LIMITS, registry=REGISTRY) as fresh:
        names = read("environment", extractor=fresh).blocks[0].text.split()
    assert "PATH" in names
    assert "OCTAVO_SECRET_KEY" not in names


def test_the_folder_of_a_document_is_gone_when_it_is_read(read: Read) -> None:
    folder = Path(read("litter").blocks[0].text)
    assert folder.name
    until(lambda: not folder.exists())


def test_a_child_is_used_again_until_it_has_served_its_number(tmp_path: Path) -> None:
    path = tmp_path / "document"
    path.write_text("pid")
    with Extractor(processes=1, limits=LIMITS, registry=REGISTRY) as extractor:
        children = [
            extractor.extract(Source(path), ParseOptions(engine="failing")).document.blocks[0].text for _ in range(5)
        ]
    assert children[0] == children[2] != children[3] == children[4]


def test_one_bad_page_does_not_fail_the_document(read: Read) -> None:
    assert [page.status for page in read("bad-page").pages] == ["ok", "failed"]


def test_only_bad_pages_fail_the_document(read: Read) -> None:
    with pytest.raises(ExtractionFailed, match="no page of the document"):
        read("only-bad-pages")


def test_an_unknown_engine_is_refused_with_the_list(read: Read) -> None:
    with pytest.raises(UnknownEngine) as raised:
        read("anything", engine="nonsense")
    assert "failing" in str(raised.value.facts["engines"])


def test_an_engine_that_cannot_work_here_says_why(read: Read) -> None:
    with pytest.raises(InternalError, match="frobnicate"):
        read("anything", engine="unavailable")


def test_begin_is_called_once_even_if_the_document_is_tried_twice(extractor: Extractor, tmp_path: Path) -> None:
    path = tmp_path / "document"
    path.write_text("crash")
    begun: list[int] = []
    with pytest.raises(ExtractionFailed):
        extractor.extract(Source(path), ParseOptions(engine="failing"), Observing(on_begin=lambda: begun.append(1)))
    assert begun == [1]


@pytest.mark.parametrize("moment", ["on_begin", "on_counted"])
def test_what_an_observer_raises_ends_the_work_and_comes_out(
    extractor: Extractor, read: Read, tmp_path: Path, moment: str
) -> None:
    class Refused(Exception):
        pass

    def refuse(*_: object) -> None:
        raise Refused

    path = tmp_path / "document"
    path.write_text("hello")
    with pytest.raises(Refused):
        extractor.extract(
            Source(path),
            ParseOptions(engine="failing"),
            Observing(on_begin=refuse) if moment == "on_begin" else Observing(on_counted=refuse),
        )
    assert read("still well").blocks[0].text == "still"


def test_a_document_waits_for_a_child_and_has_not_begun(tmp_path: Path) -> None:
    path, busy = tmp_path / "document", tmp_path / "busy"
    path.write_text("hello")
    busy.write_text("hang")
    first, second = threading.Event(), threading.Event()
    with Extractor(processes=1, limits=HASTY, registry=REGISTRY) as extractor:

        def hang() -> None:
            with pytest.raises(ExtractionFailed):
                extractor.extract(Source(busy), ParseOptions(engine="failing"), Observing(on_begin=first.set))

        def follow() -> None:
            extractor.extract(Source(path), ParseOptions(engine="failing"), Observing(on_begin=second.set))

        threads = [threading.Thread(target=hang)]
        threads[0].start()
        assert first.wait(PATIENCE_SECONDS)
        threads.append(threading.Thread(target=follow))
        threads[1].start()
        assert not second.wait(0.2)
        assert second.wait(PATIENCE_SECONDS)
        for thread in threads:
            thread.join(PATIENCE_SECONDS)


def test_a_lost_fork_server_loses_the_document_and_is_replaced(read: Read, tmp_path: Path) -> None:
    path = tmp_path / "document"
    path.write_text("hang")
    with Extractor(processes=1, limits=LIMITS, registry=REGISTRY) as extractor:
        extractor.warm_up()
        fork_server = extractor.fork_server_pid
        assert fork_server is not None

        def kill_fork_server(*_: object) -> None:
            os.kill(fork_server, signal.SIGKILL)

        with pytest.raises(ChildLost):
            extractor.extract(Source(path), ParseOptions(engine="failing"), Observing(on_counted=kill_fork_server))
        assert read("well", extractor=extractor).blocks[0].text == "well"


def test_closing_ends_children_and_removes_folders(tmp_path: Path) -> None:
    document, work = tmp_path / "document", tmp_path / "work"
    document.write_text("hang")
    extractor = Extractor(processes=1, limits=LIMITS, registry=REGISTRY, work_directory=work)
    extractor.warm_up()
    fork_server = extractor.fork_server_pid
    assert fork_server is not None
    ended = threading.Event()
    begun = threading.Event()

    def hang() -> None:
        with pytest.raises(ChildLost):
            extractor.extract(Source(document), ParseOptions(engine="failing"), Observing(on_begin=begun.set))
        ended.set()

    thread = threading.Thread(target=hang)
    thread.start()
    assert begun.wait(PATIENCE_SECONDS)
    children = processes_in(fork_server)
    assert children
    extractor.close()
    assert ended.wait(PATIENCE_SECONDS)
    thread.join()
    until(lambda: not any(Path(f"/proc/{pid}").exists() for pid in children))
    assert list(work.iterdir()) == []
    with pytest.raises(ChildLost, match="closed"):
        extractor.extract(Source(document), ParseOptions(engine="failing"))


OWNER = """
import sys, dataclasses
from pathlib import Path
from octavo.engines.contract import Limits, Source
from octavo.engines.observer import ReadingObserver
from octavo.engines.registry import TEST_ENGINES, EngineRegistry
from octavo.extraction.extractor import Extractor
from octavo.parse_options import ParseOptions
class Begun(ReadingObserver):
    def begin(self):
        print("begun", flush=True)
registry, work = EngineRegistry(TEST_ENGINES), Path(sys.argv[1])
extractor = Extractor(processes=1, limits=Limits(), registry=registry, work_directory=work)
extractor.warm_up()
print(extractor.fork_server_pid, flush=True)
options = ParseOptions(engine="failing")
extractor.extract(Source(Path(sys.argv[2])), options, Begun())
"""


def test_when_the_owner_is_killed_everything_goes_with_it(tmp_path: Path) -> None:
    document, work = tmp_path / "document", tmp_path / "work"
    document.write_text("grandchild")
    owner = subprocess.Popen(
        [sys.executable, "-c", OWNER, str(work), str(document)],
        stdout=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    assert owner.stdout is not None
    with owner.stdout:
        fork_server = int(owner.stdout.readline())
        assert owner.stdout.readline() == "begun\n"
        child = {0}

        def has_grandchild() -> bool:
            child.clear()
            child.update(pid for pid in processes_in(fork_server) if pid != fork_server)
            return any(len(processes_in(pid)) >= 2 for pid in child)

        until(has_grandchild)
        group = {member for pid in child for member in processes_in(pid)} | {fork_server}
        # The whole group, as a service manager does it.
        os.killpg(owner.pid, signal.SIGKILL)
    owner.wait()
    until(lambda: not any(is_running(pid) for pid in group))
    until(lambda: list(work.iterdir()) == [])


def test_a_folder_that_a_dead_fork_server_left_is_swept_and_a_living_ones_stays(tmp_path: Path) -> None:
    dead = tmp_path / "octavo-sandbox-dead"
    (dead / "1").mkdir(parents=True)
    long_ago = time.time() - 3600
    with Extractor(processes=1, limits=LIMITS, registry=REGISTRY, work_directory=tmp_path) as first:
        first.warm_up()
        (living,) = (path for path in tmp_path.iterdir() if path != dead)
        for path in (dead, living):
            os.utime(path, (long_ago, long_ago))
        with Extractor(processes=1, limits=LIMITS, registry=REGISTRY, work_directory=tmp_path) as second:
            second.warm_up()
        assert not dead.exists()
        assert living.exists()


def is_running(pid: int) -> bool:
    try:
        return "Z" not in Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return False
