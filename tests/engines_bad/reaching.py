"""An engine that tries to get out: every way it knows to the network, and to files that are named by the document."""

import ctypes
import json
import os
import resource
import socket
import subprocess
import urllib.request
from collections.abc import Callable
from pathlib import Path

from octavo.documents import Block, Box, Document, Page
from octavo.engines.contract import Limits, Progress, Reading, Source
from octavo.engines.failing import FailingEngine
from octavo.parse_options import ParseOptions

BOX = Box(0, 0, 1, 1)
METADATA = "http://169.254.169.254/latest/meta-data/"
_PR_SET_CHILD_SUBREAPER = 36


class ReachingEngine(FailingEngine):
    """Reads a JSON object of attempts, `{"read": [path, ...], "port": n, ...}`; a block tells how each ended.

    `owner` is the process it tries its hand on; with `only` it makes the attempts of these names alone.
    """

    name = "reaching"

    def extract(
        self, source: Source, options: ParseOptions, limits: Limits, progress: Progress, folder: Path
    ) -> Reading:
        told = json.loads(source.path.read_text())
        attempts = {**_network(told["port"]), **_files(told["read"]), **_processes(told["owner"])}
        ended = [_tried(name, act) for name, act in attempts.items() if name in told.get("only", attempts)]
        blocks = tuple(Block(1, order, "paragraph", text, BOX) for order, text in enumerate(ended))
        return Reading(Document((Page(1, 1.0, 1.0),), blocks))


def _tried(name: str, act: Callable[[], object]) -> str:
    try:
        act()
    except (OSError, subprocess.SubprocessError) as error:
        return f"{name}: refused, {error}"
    return f"{name}: DONE"


def _network(port: int) -> dict[str, Callable[[], object]]:
    def udp(address: str, to: int) -> None:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as near:
            near.sendto(b"\x00\x01\x01\x00\x00\x01\x00\x00\x00\x00\x00\x00", (address, to))

    def made(family: int, kind: int) -> None:
        socket.socket(family, kind).close()

    shell = f"exec 3<>/dev/tcp/127.0.0.1/{port}"
    return {
        "a name": lambda: socket.getaddrinfo("example.com", 80),
        "a name server": lambda: udp("127.0.0.1", 53),
        "TCP": lambda: socket.create_connection(("127.0.0.1", port), timeout=5).close(),
        "TCP over IPv6": lambda: socket.create_connection(("::1", port), timeout=5).close(),
        "UDP": lambda: udp("127.0.0.1", port),
        "the metadata address": lambda: urllib.request.urlopen(METADATA, timeout=5).close(),
        "a Unix socket": lambda: made(socket.AF_UNIX, socket.SOCK_STREAM),
        "a raw socket": lambda: made(socket.AF_INET, socket.SOCK_RAW),
        "a packet socket": lambda: made(socket.AF_PACKET, socket.SOCK_RAW),
        "netlink": lambda: made(socket.AF_NETLINK, socket.SOCK_RAW),
        "a program's TCP": lambda: subprocess.run(["bash", "-c", shell], check=True, stderr=subprocess.DEVNULL),
    }


def _files(paths: list[str]) -> dict[str, Callable[[], object]]:
    def act(path: Path) -> object:
        return list(path.iterdir()) if path.is_dir() else path.read_bytes()

    return {path: lambda path=path: act(Path(path)) for path in paths}  # type: ignore[misc]


def _processes(owner: int) -> dict[str, Callable[[], object]]:
    libc = ctypes.CDLL(None, use_errno=True)

    def called(name: str, *arguments: object) -> None:
        if getattr(libc, name)(*arguments) < 0:
            raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))

    return {
        "a signal to the owner": lambda: os.kill(owner, 0),
        "limits of the owner": lambda: resource.prlimit(owner, resource.RLIMIT_NOFILE),
        "priority of the owner": lambda: os.setpriority(os.PRIO_PROCESS, owner, os.getpriority(os.PRIO_PROCESS, owner)),
        "cores of the owner": lambda: os.sched_setaffinity(owner, os.sched_getaffinity(owner)),
        "a group of its own": os.setsid,
        "memory of nobody": lambda: os.close(os.memfd_create("nobody")),
        "memory that is shared": lambda: called("shmget", 0, 4096, 0o1600),
        "orphans to somebody else": lambda: called("prctl", _PR_SET_CHILD_SUBREAPER, 0, 0, 0, 0),
    }
