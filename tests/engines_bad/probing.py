"""An engine that tries each claim of `docs/explain/sandbox.md` by the calls that a taken-over parser would make."""

import ctypes
import errno
import fcntl
import json
import os
import resource
import shutil
import socket
import sys
from collections.abc import Callable
from pathlib import Path

from octavo.documents import Block, Box, Document, Page
from octavo.engines.contract import Limits, Progress, Reading, Source
from octavo.engines.failing import FailingEngine
from octavo.engines.sandbox.system_calls import ABSENT, BY_ARGUMENT, NEWEST_KNOWN, REFUSED
from octavo.parse_options import ParseOptions

BOX = Box(0, 0, 1, 1)
COLUMN = 0 if os.uname().machine == "x86_64" else 1
SIGCHLD = 17
CLONE_FLAGS = {
    "PARENT": 0x8000,
    "NEWNS": 0x20000,
    "NEWCGROUP": 0x2000000,
    "NEWUTS": 0x4000000,
    "NEWIPC": 0x8000000,
    "NEWUSER": 0x10000000,
    "NEWPID": 0x20000000,
    "NEWNET": 0x40000000,
}
FS_IOC_GETFLAGS, FS_IOC_SETFLAGS, TIOCSTI = 0x80086601, 0x40086602, 0x5412
PR_SET_PDEATHSIG, PR_SET_DUMPABLE = 1, 4
AT_EMPTY_PATH = 0x1000
LIBC = ctypes.CDLL(None, use_errno=True)


class ProbingEngine(FailingEngine):
    """Reads the path of a file that belongs to the service; a block tells how each attempt ended."""

    name = "probing"

    def extract(
        self, source: Source, options: ParseOptions, limits: Limits, progress: Progress, folder: Path
    ) -> Reading:
        target = source.path.read_text()
        ended = [f"{name}: {_tried(act)}" for name, act in attempts(target, folder).items()]
        ended += [f"call {name}: {_called(number)}" for name, number in every_call().items()]
        blocks = tuple(Block(1, order, "paragraph", text, BOX) for order, text in enumerate(ended))
        return Reading(Document((Page(1, 1.0, 1.0),), blocks))


def _tried(act: Callable[[], object]) -> str:
    try:
        act()
    except OSError as error:
        return errno.errorcode[error.errno or 0]
    except ValueError as error:
        return str(error)
    return "DONE"


def _called(number: int) -> str:
    ctypes.set_errno(0)
    LIBC.syscall(number, *[ctypes.c_long(-1)] * 6)
    return errno.errorcode.get(ctypes.get_errno(), "DONE")


def every_call() -> dict[str, int]:
    """Return the number of every call that must fail whatever its arguments are."""
    tables = {**REFUSED, **ABSENT, "unheard-of": (NEWEST_KNOWN + 1,) * 2, "x32 getpid": (0x40000027, None)}
    return {name: found for name, numbers in tables.items() if (found := numbers[COLUMN]) is not None}


def _checked(result: int) -> int:
    if result < 0:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
    return result


def _clone(flags: int) -> None:
    number = BY_ARGUMENT["clone"][0][COLUMN]
    if (pid := _checked(LIBC.syscall(number, flags | SIGCHLD, 0, 0, 0, 0))) == 0:
        os._exit(0)
    if not flags & CLONE_FLAGS["PARENT"]:
        os.waitpid(pid, 0)


def attempts(target: str, folder: Path) -> dict[str, Callable[[], object]]:
    """Return what is tried, by name: on a file of the service's user, on one's own, and on the kernel."""
    own = folder / "own"
    own.write_text("own")
    library = os.open(json.__file__, os.O_RDONLY)
    handle = os.open(target, os.O_PATH)
    end = socket.socketpair()[0]
    return {
        **{f"clone {name}": lambda flag=flag: _clone(flag) for name, flag in CLONE_FLAGS.items()},  # type: ignore[misc]
        "mode": lambda: os.chmod(target, 0o700),  # noqa: PTH101
        "mode by a link": lambda: os.chmod(f"/proc/self/fd/{handle}", 0o700),  # noqa: PTH101
        "mode of a library": lambda: os.fchmod(library, 0o777),
        "owner": lambda: os.chown(target, os.getuid(), os.getgid()),
        "owner of a library": lambda: os.fchown(library, os.getuid(), os.getgid()),
        "owner of a descriptor": lambda: _checked(LIBC.fchownat(handle, b"", os.getuid(), os.getgid(), AT_EMPTY_PATH)),
        "times": lambda: os.utime(target, (0, 0)),
        "times of a library": lambda: os.utime(library, (0, 0)),
        "attributes": lambda: os.setxattr(target, "user.octavo", b"here"),
        "attributes of a library": lambda: os.setxattr(library, "user.octavo", b"here"),
        "length": lambda: os.truncate(target, 0),
        "length of a library": lambda: os.open(json.__file__, os.O_RDONLY | os.O_TRUNC),
        "flags of a library": lambda: fcntl.ioctl(
            library, FS_IOC_SETFLAGS, fcntl.ioctl(library, FS_IOC_GETFLAGS, b"\0" * 8)
        ),
        "a watch": lambda: _checked(LIBC.inotify_init1(0)),
        "an old watch": lambda: fcntl.fcntl(library, fcntl.F_NOTIFY, fcntl.DN_ACCESS),
        "a lease": lambda: fcntl.fcntl(library, fcntl.F_SETLEASE, fcntl.F_RDLCK),
        "signals by a file": lambda: fcntl.fcntl(end, fcntl.F_SETOWN, os.getppid()),
        "any signal by a file": lambda: fcntl.fcntl(end, fcntl.F_SETSIG, 9),
        "a signal to everybody": lambda: os.kill(-1, 0),
        "typing": lambda: fcntl.ioctl(0, TIOCSTI, b"x"),
        "datagrams": lambda: socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM),
        "priority of all": lambda: os.setpriority(os.PRIO_USER, 0, 19),
        "to outlive the fork server": lambda: _checked(LIBC.prctl(PR_SET_PDEATHSIG, 0, 0, 0, 0)),
        "to be hidden": lambda: _checked(LIBC.prctl(PR_SET_DUMPABLE, 0, 0, 0, 0)),
        "to be killed last": lambda: Path("/proc/self/oom_score_adj").write_text("0"),
        "more memory": lambda: resource.setrlimit(resource.RLIMIT_AS, (resource.RLIM_INFINITY,) * 2),
        "a link to it": lambda: os.link(target, folder / "link"),
        "its name": lambda: os.rename(target, folder / "moved"),  # noqa: PTH104
        "its end": lambda: os.unlink(target),  # noqa: PTH108
        "its content": lambda: os.open(target, os.O_RDONLY),
        "to change it": lambda: os.open(target, os.O_WRONLY),
        "a link to a library": lambda: os.link(json.__file__, folder / "library"),
        # What a parser needs: else the refusals above would show nothing.
        "own content": own.read_text,
        "own file": lambda: own.write_text("more"),
        "own length": lambda: os.ftruncate(os.open(own, os.O_WRONLY), 1),
        "own copy": lambda: (shutil.copy(own, folder / "copy"), shutil.copy2(own, folder / "copy2")),
        "own folder": (folder / "inner").mkdir,
        "own name": lambda: own.rename(folder / "renamed"),
        "own pair": lambda: socket.socketpair()[0].setblocking(False),
        "own process": lambda: _clone(0),
        "own priority": lambda: os.setpriority(os.PRIO_PROCESS, 0, 19),
        "own terminal": lambda: sys.stdin.isatty() if sys.stdin else False,
        # Documented as possible.
        "a look": lambda: os.stat(target),  # noqa: PTH116
    }
