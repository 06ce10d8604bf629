"""Everything a child gives up before it sees a document, in the order in which it must be given up."""

import ctypes
import os
import resource
import shutil
import signal
import struct
import sys
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Literal

import octavo
from octavo.engines.contract import Limits
from octavo.engines.sandbox import landlock, seccomp
from octavo.engines.sandbox.failures import SandboxUnavailable

Require = Literal["all", "none"]
WALLS = ("limits", "no_new_privileges", "landlock", "capabilities", "seccomp")
"""What `confine` can name: all of it on Linux, only the first elsewhere."""

_PR_SET_PDEATHSIG = 1
_PR_SET_CHILD_SUBREAPER = 36
_CAPABILITY_VERSION = 0x20080522
_NICENESS = 10
_OOM_SCORE = "1000"
_PROGRAMS = ("tesseract",)
_SYSTEM_PATHS = (
    "/usr",
    "/lib",
    "/lib64",
    "/bin",
    # Of itself and of the machine, but not of other processes: command lines tell a lot.
    "/proc/self",
    "/proc/cpuinfo",
    "/proc/meminfo",
    "/proc/filesystems",
    "/proc/sys/vm/overcommit_memory",
    "/sys/devices/system/cpu",
    "/etc/ld.so.cache",
    "/etc/fonts",
    "/etc/localtime",
    "/etc/magic",
    "/etc/mime.types",
    "/etc/alternatives",
    "/dev/urandom",
    "/dev/zero",
)


def _libc() -> ctypes.CDLL:
    return ctypes.CDLL(None, use_errno=True)


def die_with_parent(parent: int) -> None:
    """Have the kernel kill this process when its parent ends (Linux; elsewhere end of file must do)."""
    if sys.platform != "linux":
        return
    _libc().prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    if os.getppid() != parent:
        os._exit(1)


def become_subreaper() -> None:
    """Become the parent of every descendant whose own parent ends, so that none gets out of sight (Linux)."""
    if sys.platform == "linux":
        _libc().prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)


def confine(folder: Path, limits: Limits, require: Require) -> list[str]:
    """Take limits and, on Linux, give up network, capabilities and files outside `folder`; return what was done.

    Raises `SandboxUnavailable` if the machine cannot do all of that, unless `require` is `none`; then as much
    as can be had is taken.
    """
    os.nice(_NICENESS)
    _raise_oom_score()
    _take_limits(limits)
    become_subreaper()
    active, missing = ["limits"], []
    for name, give_up in _walls(folder) if sys.platform == "linux" else ():
        try:
            give_up()
        except SandboxUnavailable as error:
            missing.append(error.message)
        else:
            active.append(name)
    if missing and require == "all":
        raise SandboxUnavailable("; ".join(missing))
    return active


def _raise_oom_score() -> None:
    """Have the kernel end this process before the service where memory runs out (Linux)."""
    # Where /proc cannot be written to, the kernel takes the largest process, which is a child, too.
    with suppress(OSError):
        Path("/proc/self/oom_score_adj").write_text(_OOM_SCORE)


def _walls(folder: Path) -> list[tuple[str, Callable[[], None]]]:
    libc = _libc()
    return [
        ("no_new_privileges", lambda: seccomp.forbid_new_privileges(libc)),
        ("landlock", lambda: landlock.restrict(libc, readable=_readable(), writable=[folder, Path("/dev/null")])),
        ("capabilities", lambda: _drop_capabilities(libc)),
        ("seccomp", lambda: seccomp.install_filter(libc)),
    ]


def grant_cpu(seconds: int) -> None:
    """Allow this process so many CPU seconds from now on; past them the kernel sends SIGXCPU."""
    usage = resource.getrusage(resource.RUSAGE_SELF)
    spent = int(usage.ru_utime + usage.ru_stime)
    resource.setrlimit(resource.RLIMIT_CPU, (spent + seconds + 1, resource.RLIM_INFINITY))


def _take_limits(limits: Limits) -> None:
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    resource.setrlimit(resource.RLIMIT_FSIZE, (limits.file_bytes, limits.file_bytes))
    resource.setrlimit(resource.RLIMIT_NOFILE, (limits.open_files, limits.open_files))
    if sys.platform == "linux":
        # Counted from what the fork server already maps, so that the limit means the document's own use.
        pages = int(Path("/proc/self/statm").read_text().split()[0])
        bound = pages * resource.getpagesize() + limits.memory_bytes
        resource.setrlimit(resource.RLIMIT_AS, (bound, bound))


def _drop_capabilities(libc: ctypes.CDLL) -> None:
    header = struct.pack("=Ii", _CAPABILITY_VERSION, 0)
    if libc.capset(ctypes.c_char_p(header), ctypes.c_char_p(bytes(24))):
        raise SandboxUnavailable(f"capset: {os.strerror(ctypes.get_errno())}")


def _readable() -> list[Path]:
    """Return where programs, libraries and their data lie: nothing that belongs to a customer."""
    paths = [Path(path) for path in _SYSTEM_PATHS]
    paths += [Path(prefix) for prefix in {sys.prefix, sys.base_prefix, sys.exec_prefix}]
    paths += [Path(place) for place in octavo.__path__]
    paths += [Path(found).resolve().parent for found in map(shutil.which, _PROGRAMS) if found]
    if "TESSDATA_PREFIX" in os.environ:
        paths.append(Path(os.environ["TESSDATA_PREFIX"]))
    return paths
