"""The owner's side of one fork server: start it, have it fork and kill, learn how children ended."""

import dataclasses
import os
import signal
import socket
import subprocess
import sys
import threading
from contextlib import suppress
from pathlib import Path

import octavo
from octavo.engines.contract import Limits
from octavo.engines.registry import EngineRegistry
from octavo.engines.sandbox.confinement import Require
from octavo.engines.sandbox.failures import ChildLost, SandboxUnavailable
from octavo.engines.sandbox.folders import make_folder, remove_folder
from octavo.engines.sandbox.fork_server import Configuration
from octavo.engines.sandbox.wire import Channel, Header, WireBroken, WireClosed

_START_SECONDS = 60.0
_FORK_SECONDS = 20.0
_END_SECONDS = 10.0
_PASSED_ON = (
    "PATH",
    "HOME",
    "LANG",
    "LC_ALL",
    "LC_CTYPE",
    "TZ",
    "LD_LIBRARY_PATH",
    "DYLD_LIBRARY_PATH",
    "TESSDATA_PREFIX",
    "VIRTUAL_ENV",
    "OCTAVO_SLEEP_SECONDS",
)
_ONE_THREAD = {
    "OMP_NUM_THREADS": "1",
    "OMP_THREAD_LIMIT": "1",
    "OPENBLAS_NUM_THREADS": "1",
    "MKL_NUM_THREADS": "1",
}


class ForkServerHandle:
    """A running fork server. Thread-safe; a reader thread takes in what it says."""

    def __init__(self, limits: Limits, registry: EngineRegistry, require: Require, work_directory: Path | None) -> None:
        """Start the process; `wait_ready` waits for its imports."""
        self.folder = make_folder(work_directory)
        ours, theirs = socket.socketpair()
        self._channel = Channel(ours)
        self._changed = threading.Condition()
        self._sending = threading.Lock()
        self._ready = self._gone = False
        self._forked: dict[int, int] = {}
        self._living: set[int] = set()
        self._ended: dict[int, int] = {}
        self._forks = 0
        configuration = Configuration(
            control=theirs.fileno(),
            folder=str(self.folder),
            require=require,
            references=dict(registry.references),
            limits=dataclasses.asdict(limits),
        )
        with theirs:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "octavo.engines.sandbox.fork_server", configuration.to_argument()],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                pass_fds=[theirs.fileno()],
                cwd=self.folder,
                # What kills the owner's group must leave the fork server time to end its children and folders.
                start_new_session=True,
                env=_environment(),
            )
        self._reader = threading.Thread(target=self._read, name="sandbox-fork-server", daemon=True)
        self._reader.start()

    @property
    def pid(self) -> int:
        return self._process.pid

    @property
    def alive(self) -> bool:
        return not self._gone

    def wait_ready(self) -> None:
        """Wait until children can be forked. Raises `SandboxUnavailable`."""
        with self._changed:
            self._changed.wait_for(lambda: self._ready or self._gone, _START_SECONDS)
            if not self._ready:
                raise SandboxUnavailable("the sandbox process did not start; its messages say why")

    def fork(self) -> tuple[int, Channel, Path]:
        """Return the process id of a fresh child, the channel to it, and its folder. Raises `ChildLost`."""
        self.wait_ready()
        ours, theirs = socket.socketpair()
        with theirs:
            with self._changed:
                self._forks += 1
                number = self._forks
            self._send({"type": "fork", "id": number}, descriptor=theirs.fileno())
        with self._changed:
            self._changed.wait_for(lambda: number in self._forked or self._gone, _FORK_SECONDS)
            if number not in self._forked:
                ours.close()
                raise ChildLost("the sandbox process ended or does not answer")
            return self._forked.pop(number), Channel(ours), self.folder / str(number)

    def kill(self, pid: int) -> None:
        """End a child and all it has started; the fork server does it, because it knows who lives."""
        with suppress(ChildLost):
            self._send({"type": "kill", "pid": pid})

    def has_ended(self, pid: int) -> bool:
        with self._changed:
            return self._gone or pid not in self._living

    def exit_status(self, pid: int) -> int | None:
        """Return a child's wait status once it has ended; None if that cannot be learnt."""
        with self._changed:
            self._changed.wait_for(lambda: pid in self._ended or self._gone, _END_SECONDS)
            return self._ended.pop(pid, None)

    def close(self) -> None:
        """End the fork server and every child, and remove their folders."""
        with suppress(OSError):
            self._channel.socket.shutdown(socket.SHUT_RDWR)
        try:
            self._process.wait(_END_SECONDS)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._reader.join()
        self._channel.close()
        remove_folder(self.folder)

    def _send(self, header: Header, descriptor: int | None = None) -> None:
        with self._sending:
            try:
                self._channel.send(header, descriptors=[] if descriptor is None else [descriptor])
            except (WireClosed, OSError) as error:
                raise ChildLost("the sandbox process has ended") from error

    def _read(self) -> None:
        try:
            while True:
                self._handle(self._channel.receive())
        except (WireClosed, WireBroken, OSError):
            self._end()

    def _handle(self, said: Header) -> None:
        with self._changed:
            match said:
                case {"type": "ready"}:
                    self._ready = True
                case {"type": "forked", "id": int(number), "pid": int(pid)}:
                    self._living.add(pid)
                    self._forked[number] = pid
                case {"type": "exited", "pid": int(pid), "status": int(status)}:
                    self._living.discard(pid)
                    self._ended[pid] = status
            self._changed.notify_all()

    def _end(self) -> None:
        with self._changed:
            self._gone = True
            # A fork server that was killed takes its children along, but not what they have started.
            for pid in self._living:
                with suppress(ProcessLookupError, PermissionError):
                    os.killpg(pid, signal.SIGKILL)
            self._changed.notify_all()


def _environment() -> dict[str, str]:
    """Return the little that a fork server needs: secrets of the owner stay with the owner."""
    passed = {name: os.environ[name] for name in _PASSED_ON if name in os.environ}
    root = str(Path(octavo.__file__).resolve().parent.parent)
    python_path = os.pathsep.join(filter(None, [root, os.environ.get("PYTHONPATH")]))
    return {**passed, **_ONE_THREAD, "PYTHONPATH": python_path, "PYTHONNOUSERSITE": "1"}
