"""Nothing gets out of a child: no network, no files but its own, no access to other processes."""

import json
import os
import socket
import sys
import threading
from collections.abc import Iterable, Iterator
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path

import pytest
from PIL import Image

from octavo.directory import DataDirectory
from octavo.engines.contract import Limits, PageToRender, Progress, Source
from octavo.engines.registry import TEST_ENGINES, EngineRegistry
from octavo.engines.sandbox.confinement import WALLS
from octavo.errors import ExtractionFailed
from octavo.extraction.extractor import Extractor
from octavo.parse_options import ParseOptions
from tests.engines_bad.engines import REFERENCES
from tests.engines_bad.reaching import ReachingEngine
from tests.observers import Observing

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="the sandbox is complete on Linux only")

LIMITS = replace(Limits(), wall_seconds=60.0, page_seconds=60.0)
PATIENCE_SECONDS = 15.0
NETWORK = (
    "a name",
    "a name server",
    "TCP",
    "TCP over IPv6",
    "UDP",
    "the metadata address",
    "a Unix socket",
    "a raw socket",
    "a packet socket",
    "netlink",
    "a program's TCP",
)
PROCESSES = (
    "a signal to the owner",
    "limits of the owner",
    "priority of the owner",
    "cores of the owner",
    "a group of its own",
    "memory of nobody",
    "memory that is shared",
    "orphans to somebody else",
)


class Silent(Progress):
    """Takes progress where there is no child."""

    def counted(self, pages: int) -> None:
        pass

    def working(self, pages: int) -> None:
        pass


@pytest.fixture(scope="module")
def work_directory(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("work")


@pytest.fixture(scope="module")
def extractor(work_directory: Path) -> Iterator[Extractor]:
    registry = EngineRegistry({**TEST_ENGINES, **REFERENCES})
    with Extractor(processes=2, limits=LIMITS, registry=registry, work_directory=work_directory) as extractor:
        yield extractor


@pytest.fixture
def listener() -> Iterator[tuple[socket.socket, socket.socket]]:
    """A TCP and a UDP socket on the same port of the loopback address, that would notice any call."""
    with socket.create_server(("127.0.0.1", 0)) as tcp, socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as udp:
        udp.bind(tcp.getsockname())
        for end in (tcp, udp):
            end.setblocking(False)
        yield tcp, udp


def attempts(extractor: Extractor, folder: Path, *, port: int = 9, read: tuple[Path, ...] = ()) -> dict[str, str]:
    """Return how each attempt of the reaching engine ended."""
    path = folder / "document"
    path.write_text(json.dumps({"port": port, "read": [str(name) for name in read], "owner": os.getpid()}))
    document = extractor.extract(Source(path), ParseOptions(engine="reaching")).document
    return dict(block.text.split(": ", 1) for block in document.blocks)


def not_refused(ended: dict[str, str], names: Iterable[str]) -> dict[str, str]:
    return {name: ended[name] for name in names if not ended[name].startswith("refused")}


def test_no_call_leaves_the_child_whatever_way_it_takes(
    extractor: Extractor, listener: tuple[socket.socket, socket.socket], tmp_path: Path
) -> None:
    tcp, udp = listener
    ended = attempts(extractor, tmp_path, port=tcp.getsockname()[1])
    assert not_refused(ended, NETWORK) == {}
    with pytest.raises(BlockingIOError):
        tcp.accept()
    with pytest.raises(BlockingIOError):
        udp.recv(100)


def test_the_attempts_would_succeed_outside_of_a_child(
    listener: tuple[socket.socket, socket.socket], tmp_path: Path
) -> None:
    """Else the test above would show nothing."""
    key, neighbour = tmp_path / "key", f"/proc/{os.getppid()}/cmdline"
    key.write_text("secret")
    done = ("TCP", "UDP", "a Unix socket", "a program's TCP", str(key), neighbour)
    told = {"port": listener[0].getsockname()[1], "read": [str(key), neighbour], "owner": os.getppid(), "only": done}
    path = tmp_path / "document"
    path.write_text(json.dumps(told))
    reading = ReachingEngine().extract(Source(path), ParseOptions(), LIMITS, Silent(), tmp_path)
    assert [block.text for block in reading.document.blocks] == [f"{name}: DONE" for name in done]
    listener[0].accept()[0].close()


def test_keys_ledger_and_other_documents_cannot_be_read(
    extractor: Extractor, work_directory: Path, tmp_path: Path
) -> None:
    directory = DataDirectory(tmp_path / "data")
    directory.prepare()
    directory.secret("worker_token")
    directory.secret("admin_token")
    directory.ledger.write_bytes(b"a ledger")
    (tmp_path / "octavo-item-5").write_text("another customer's document")
    kept = [path for path in (tmp_path / "data").rglob("*") if path.is_file()]
    assert len(kept) >= 3
    fork_server, owner, home = extractor_pid(extractor), os.getpid(), Path.home()
    paths = (
        *kept,
        tmp_path / "data",
        tmp_path / "octavo-item-5",
        *(
            Path(f"/proc/{pid}/{name}")
            for pid in (fork_server, owner, 1)
            for name in ("environ", "cmdline", "maps", "fd")
        ),
        Path("/proc"),
        Path("/etc/passwd"),
        Path("/etc/shadow"),
        Path("/etc/resolv.conf"),
        Path("/dev/mem"),
        Path("/dev/shm"),
        home,
        Path("/tmp"),
        Path("/"),
        work_directory,
    )
    ended = attempts(extractor, tmp_path, read=paths)
    assert not_refused(ended, map(str, paths)) == {}


def test_the_document_of_the_child_beside_it_cannot_be_read(
    extractor: Extractor, work_directory: Path, tmp_path: Path
) -> None:
    other = tmp_path / "other"
    other.write_text("hang")
    found: list[Path] = []
    began = threading.Event()

    class Enough(Exception):
        pass

    def hold(_: int) -> None:
        found.extend(work_directory.glob("*/*/*/source"))
        began.set()
        assert read.wait(PATIENCE_SECONDS)
        raise Enough

    def neighbour() -> None:
        with pytest.raises(Enough):
            extractor.extract(Source(other), ParseOptions(engine="failing"), Observing(on_counted=hold))

    read = threading.Event()
    thread = threading.Thread(target=neighbour)
    thread.start()
    with ExitStack() as stack:
        stack.callback(thread.join)
        stack.callback(read.set)
        assert began.wait(PATIENCE_SECONDS)
        assert [path.read_text() for path in found] == ["hang"]
        ended = attempts(extractor, tmp_path, read=(found[0], found[0].parent, found[0].parent.parent))
    assert [told.partition(",")[0] for name, told in ended.items() if str(work_directory) in name] == ["refused"] * 3


def test_other_processes_cannot_be_touched(extractor: Extractor, tmp_path: Path) -> None:
    ended = attempts(extractor, tmp_path)
    # Signals are refused by kernels since 6.12, as docs/explain/sandbox.md says.
    assert not_refused(ended, PROCESSES).keys() <= {"a signal to the owner"}


def test_where_memory_runs_out_children_go_first(extractor: Extractor, tmp_path: Path) -> None:
    path = Path("/proc/self/oom_score_adj")
    own = int(path.read_text())
    ended = attempts(extractor, tmp_path, read=(path,))
    assert ended[str(path)] == "DONE"
    fork_server = extractor_pid(extractor)
    children = children_of(extractor)
    assert children
    assert {Path(f"/proc/{pid}/oom_score_adj").read_text().strip() for pid in children} == {"1000"}
    assert int(Path(f"/proc/{fork_server}/oom_score_adj").read_text()) == own


def test_a_child_that_draws_pages_has_the_same_walls(
    listener: tuple[socket.socket, socket.socket], tmp_path: Path
) -> None:
    key, page = tmp_path / "key", tmp_path / "page.bmp"
    key.write_text("secret")
    Image.new("L", (40, 30)).save(page)
    with Extractor(processes=1, limits=LIMITS, registry=EngineRegistry(REFERENCES)) as extractor:
        extractor.render_page(Source(page), PageToRender(1, 40, 30, 0), seconds=20.0)
        assert extractor.protection == WALLS
        drew = children_of(extractor)
        # Given back, so that the next document is read in the very child that drew.
        ended = attempts(extractor, tmp_path, port=listener[0].getsockname()[1], read=(key,))
        assert children_of(extractor) == drew
    assert not_refused(ended, (*NETWORK, str(key))) == {}


def children_of(extractor: Extractor) -> list[str]:
    fork_server = extractor_pid(extractor)
    return Path(f"/proc/{fork_server}/task/{fork_server}/children").read_text().split()


def test_it_is_known_which_walls_are_up(extractor: Extractor) -> None:
    extractor.warm_up()
    assert extractor.protection == WALLS


@pytest.mark.parametrize(
    ("word", "told"),
    [
        ("chatter", "the document took longer than 2 s"),
        ("herd", "more than 400 MiB of memory"),
        ("orphan-herd", "more than 400 MiB of memory"),
        ("swarm", "more than 32 processes"),
        ("litter", "more than 50 MiB of disk"),
        ("nameless-files", "more than 50 MiB of disk"),
        ("mapped-files", "more than 50 MiB of disk"),
        ("deep-litter", "more than 50 MiB of disk"),
        ("threads", "more than 1024 threads"),
        ("large-file", "a file of more than 40 MiB"),
        ("open-files", "more than 256 open files"),
    ],
)
def test_each_limit_has_its_own_message(tmp_path: Path, word: str, told: str) -> None:
    limits = replace(
        LIMITS,
        wall_seconds=2.0 if word == "chatter" else 60.0,
        # Many small processes or threads: with little memory it depends on the machine which limit they meet first.
        memory_bytes=4 * 1024**3 if word in ("swarm", "threads") else 400 * 1024**2,
        scratch_bytes=50 * 1024**2,
        file_bytes=40 * 1024**2,
    )
    path = tmp_path / "document"
    path.write_text(word)
    with (
        Extractor(processes=1, limits=limits, registry=EngineRegistry(REFERENCES)) as extractor,
        pytest.raises(ExtractionFailed, match=told),
    ):
        extractor.extract(Source(path), ParseOptions(engine="greedy"))


def test_descriptors_that_a_child_sends_do_not_stay_with_its_owner(extractor: Extractor, tmp_path: Path) -> None:
    path = tmp_path / "document"
    path.write_text("descriptors")
    extractor.warm_up()
    before = len(list(Path("/proc/self/fd").iterdir()))
    extractor.extract(Source(path), ParseOptions(engine="greedy"))
    assert len(list(Path("/proc/self/fd").iterdir())) <= before + 1


def extractor_pid(extractor: Extractor) -> int:
    extractor.warm_up()
    assert extractor.fork_server_pid is not None
    return extractor.fork_server_pid
