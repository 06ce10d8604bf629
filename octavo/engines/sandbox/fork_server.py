"""The fork server: one thread, parsers loaded, forks children on demand, reaps them and their groups.

Started by `pool.py` with a JSON configuration as its only argument. Ends, and ends every child, as
soon as the control socket closes, which the kernel does for an owner that was killed.
"""

import json
import os
import select
import signal
import socket
import sys
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NoReturn

from octavo.engines.contract import Limits
from octavo.engines.registry import EngineRegistry
from octavo.engines.sandbox import child, garbage_collection
from octavo.engines.sandbox.confinement import Require, become_subreaper, die_with_parent
from octavo.engines.sandbox.folders import lock_folder, remove_folder
from octavo.engines.sandbox.usage import children_of
from octavo.engines.sandbox.wire import Channel, Header, WireClosed


@dataclass(frozen=True, slots=True)
class Configuration:
    """What a fork server is told by its owner."""

    control: int
    folder: str
    require: Require
    references: dict[str, str]
    limits: dict[str, Any]

    def to_argument(self) -> str:
        return json.dumps({name: getattr(self, name) for name in self.__slots__})


class ForkServer:
    """Serves the control socket until it closes."""

    def __init__(self, configuration: Configuration) -> None:
        self._configuration = configuration
        self._limits = Limits(**configuration.limits)
        self._registry = EngineRegistry(configuration.references)
        self._control = Channel(socket.socket(fileno=configuration.control), takes_descriptors=True)
        self._folder = Path(configuration.folder)
        self._lock = lock_folder(self._folder)
        self._children: dict[int, Path] = {}
        self._left: list[Path] = []
        self._wake, self._woken = socket.socketpair()

    def serve(self) -> None:
        """Fork, kill and reap as told; return when the owner has gone."""
        self._registry.preload()
        garbage_collection.tune_for_forking()
        become_subreaper()
        self._catch_child_signals()
        self._control.send({"type": "ready"})
        try:
            while True:
                self._step()
        except WireClosed:
            self._end_all()

    def _catch_child_signals(self) -> None:
        for end in (self._wake, self._woken):
            end.setblocking(False)
        signal.signal(signal.SIGCHLD, lambda *_: None)
        signal.set_wakeup_fd(self._woken.fileno(), warn_on_full_buffer=False)

    def _step(self) -> None:
        readable, _, _ = select.select([self._control.socket, self._wake], [], [])
        if self._wake in readable:
            self._wake.recv(4096)
            self._reap()
        if self._control.socket in readable:
            self._handle(self._control.receive())

    def _handle(self, order: Header) -> None:
        match order:
            case {"type": "fork", "id": int(number)}:
                self._fork(number, self._control.take_descriptor())
            case {"type": "kill", "pid": int(pid)}:
                self._kill(pid)
            case _:
                raise WireClosed

    def _fork(self, number: int, descriptor: int) -> None:
        folder = self._folder / str(number)
        folder.mkdir()
        parent = os.getpid()
        pid = os.fork()
        if pid == 0:
            self._become_child(parent, descriptor, folder)
        os.close(descriptor)
        _lead_own_group(pid)
        self._children[pid] = folder
        self._control.send({"type": "forked", "id": number, "pid": pid})

    def _become_child(self, parent: int, descriptor: int, folder: Path) -> NoReturn:
        try:
            signal.set_wakeup_fd(-1)
            signal.signal(signal.SIGCHLD, signal.SIG_DFL)
            _lead_own_group(0)
            die_with_parent(parent)
            for end in (self._control.socket, self._wake, self._woken):
                end.close()
            os.close(self._lock)
            _close_standard_streams()
            channel = Channel(socket.socket(fileno=descriptor), takes_descriptors=True)
            child.serve(channel, folder, self._registry, self._limits, self._configuration.require)
        finally:
            # Whatever happened, this copy of the fork server must not continue as a fork server.
            os._exit(child.EXIT_DEFECT)

    def _kill(self, pid: int) -> None:
        if pid in self._children:
            _kill_group(pid)

    def _reap(self) -> None:
        for pid in sorted(self._children):
            ended = os.waitid(os.P_PID, pid, os.WEXITED | os.WNOHANG | os.WNOWAIT)
            if ended is None:
                continue
            # Before its number is free again: whatever the child has started ends with it.
            _kill_group(pid)
            _, status = os.waitpid(pid, 0)
            self._left.append(self._children.pop(pid))
            self._control.send({"type": "exited", "pid": pid, "status": status})
        if not self._end_orphans():
            # Nobody writes there any more.
            while self._left:
                remove_folder(self._left.pop())

    def _end_orphans(self) -> list[int]:
        """Kill and reap what children that have ended had started; return those that are still about to end.

        They have become children of this process, whatever group or session they had gone to.
        """
        orphans = set(children_of(os.getpid())) - self._children.keys()
        for pid in orphans:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        return [pid for pid in orphans if os.waitpid(pid, os.WNOHANG) == (0, 0)]

    def _end_all(self) -> None:
        for pid in self._children:
            _kill_group(pid)
        for pid in self._children:
            os.waitpid(pid, 0)
        self._children.clear()
        while orphans := self._end_orphans():
            os.waitpid(orphans[0], 0)
        remove_folder(self._folder)


def _lead_own_group(pid: int) -> None:
    # Parent and child both do it, so that neither has to wait; the second may be refused.
    with suppress(OSError):
        os.setpgid(pid, pid)


def _kill_group(pid: int) -> None:
    for kill in (os.killpg, os.kill):
        with suppress(ProcessLookupError):
            kill(pid, signal.SIGKILL)


def _close_standard_streams() -> None:
    null = os.open(os.devnull, os.O_RDWR)
    for descriptor in (0, 1, 2):
        os.dup2(null, descriptor)
    os.close(null)


def main() -> None:
    """Serve as told by the only argument."""
    ForkServer(Configuration(**json.loads(sys.argv[1]))).serve()


if __name__ == "__main__":
    main()
