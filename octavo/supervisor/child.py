"""One supervised process: started, watched, restarted, and ended with its parent.

Knows processes, not Octavo.
"""

import asyncio
import contextlib
import ctypes
import os
import re
import shutil
import signal
import sys
import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

Tell = Callable[[str, str], None]
"""Prints one state change: the child's name and what happened."""
CANNOT_GO_ON = os.EX_CONFIG
"""Exit code (78) of a process that is of no use to start again before somebody has done something."""
LAST_LINES_BYTES = 4096
LAST_LINES_SECONDS = 1.0
"""How long the last lines of a process that has ended are waited for."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Patience:
    """How long a keeper waits, in seconds, and how large a log may grow, in bytes."""

    first_pause: float = 0.1
    longest_pause: float = 5.0
    healthy_after: float = 10.0
    """After a child has lived this long, the pause starts again with the shortest."""
    probe: float = 0.1
    trim: float = 30.0
    log_bytes: int = 20 * 1024 * 1024

    def pause(self, last: float | None, *, lived: float) -> float:
        """Return the pause before the next start: twice the previous one, up to the longest."""
        if last is None or lived >= self.healthy_after:
            return self.first_pause
        return min(last * 2, self.longest_pause)


@dataclass(frozen=True, slots=True, kw_only=True)
class ChildSpec:
    """What to run, how to tell that it is ready, and how long it may take to stop."""

    name: str
    command: tuple[str, ...]
    environment: Mapping[str, str] = field(repr=False)
    """The whole environment; secrets are passed here, never in `command`."""
    log: Path
    ready: Callable[[], Awaitable[bool]]
    stop_seconds: float = 10.0
    scratch: Path | None = None
    """A folder that is emptied before every start, because a killed process could not clean up after itself."""
    stops_with: str | None = None
    """Neighbours with the same value are stopped at the same time, not one after the other."""
    noise: re.Pattern[bytes] | None = None
    """Lines of its output that say nothing to anybody, and are left out of the log."""
    clear: Callable[[], object] | None = None
    """Called before every start, in a thread, to clean up elsewhere."""


def die_with_parent(parent: int) -> Callable[[], None]:
    """Return what the child runs before exec so that it is killed when its parent dies (Linux).

    Other systems have no such call; the next `octavo up` ends what is left over.
    """
    library = ctypes.CDLL(None, use_errno=True) if sys.platform == "linux" else None

    def tether() -> None:
        # A shell's `&` ignores SIGINT, and ignored signals stay ignored after exec.
        signal.signal(signal.SIGINT, signal.SIG_DFL)
        if library is not None:
            library.prctl(1, signal.SIGKILL)  # 1 is PR_SET_PDEATHSIG
            if os.getppid() != parent:
                os._exit(1)

    return tether


class Child:
    """Keeps one process running until it is told to stop."""

    def __init__(
        self,
        spec: ChildSpec,
        tell: Tell,
        *,
        on_change: Callable[[], None] = lambda: None,
        patience: Patience | None = None,
    ) -> None:
        self.spec = spec
        self._tell = tell
        self._on_change = on_change
        self._patience = patience or Patience()
        self._stopping = asyncio.Event()
        self.gave_up: str | None = None
        """Why the process is not started again, in its own last words."""
        self._process: asyncio.subprocess.Process | None = None

    @property
    def pid(self) -> int | None:
        """The process id while it is running."""
        running = self._process is not None and self._process.returncode is None
        return self._process.pid if self._process and running else None

    async def keep(self) -> None:
        """Start the process, and restart it whenever it ends, until `stop` or `kill`, or until it cannot go on."""
        pause: float | None = None
        while True:
            began = time.monotonic()
            how = await self._live(began)
            if self._stopping.is_set():
                return
            if self._process is not None and self._process.returncode == CANNOT_GO_ON:
                self.gave_up = self._last_words()
                return
            pause = self._patience.pause(pause, lived=time.monotonic() - began)
            self._tell(self.spec.name, f"{how}; restarting in {pause:.1f} s, see {self.spec.log}")
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._stopping.wait(), pause)
                return

    async def _live(self, began: float) -> str:
        """Start the process, wait for its end, and return how it ended."""
        try:
            process = await self._start()
        except OSError as error:
            return f"cannot be started ({error.strerror})"
        if self._stopping.is_set():
            # Told to stop while the process was being started: `stop` could not see it.
            self._kill_group(signal.SIGKILL)
        watcher = asyncio.create_task(self._watch(began))
        copier = None if process.stdout is None else asyncio.create_task(self._copy_log(process.stdout))
        code = await process.wait()
        watcher.cancel()
        if copier is not None:
            await asyncio.wait([copier], timeout=LAST_LINES_SECONDS)
            copier.cancel()
        self._kill_group(signal.SIGKILL)
        self._on_change()
        return f"ended ({_ending(code)})"

    async def stop(self) -> None:
        """Ask the process to stop (SIGTERM), wait, then kill its whole group."""
        self._stopping.set()
        process = self._process
        if process is None or process.returncode is not None:
            return
        with contextlib.suppress(ProcessLookupError):
            process.send_signal(signal.SIGTERM)
        try:
            await asyncio.wait_for(process.wait(), self.spec.stop_seconds)
        except TimeoutError:
            self._tell(self.spec.name, f"did not stop within {self.spec.stop_seconds:.0f} s; killing it")
        self._kill_group(signal.SIGKILL)
        await process.wait()
        self._tell(self.spec.name, "stopped")

    def kill(self) -> None:
        """Kill the whole group at once."""
        self._stopping.set()
        self._kill_group(signal.SIGKILL)

    async def _start(self) -> asyncio.subprocess.Process:
        self._tell(self.spec.name, "starting")
        self.spec.log.parent.mkdir(parents=True, exist_ok=True)
        # Here too, because a child that keeps dying before it is ready writes the same lines each time.
        self._trim_log()
        if self.spec.scratch is not None:
            shutil.rmtree(self.spec.scratch, ignore_errors=True)
            self.spec.scratch.mkdir(mode=0o700, parents=True, exist_ok=True)
        if self.spec.clear is not None:
            await asyncio.to_thread(self.spec.clear)
        with self.spec.log.open("ab") as log:
            self._process = await asyncio.create_subprocess_exec(
                *self.spec.command,
                env=dict(self.spec.environment),
                stdin=asyncio.subprocess.DEVNULL,
                stdout=asyncio.subprocess.PIPE if self.spec.noise else log,
                stderr=asyncio.subprocess.STDOUT,
                # A group of its own, so that Ctrl-C reaches only the parent, which stops them in order.
                start_new_session=True,
                preexec_fn=die_with_parent(os.getpid()),
            )
        self._on_change()
        return self._process

    async def _copy_log(self, lines: asyncio.StreamReader) -> None:
        """Write what the process prints into its log, line by line, without the noise."""
        noise = self.spec.noise
        while line := await _next_line(lines):
            if noise is None or not noise.search(line):
                with self.spec.log.open("ab") as log:
                    log.write(line)

    def _last_words(self) -> str:
        """Return the last line of the log."""
        with self.spec.log.open("rb") as log:
            log.seek(max(0, self.spec.log.stat().st_size - LAST_LINES_BYTES))
            lines = log.read().decode(errors="replace").split("\n")
        return next((line.strip() for line in reversed(lines) if line.strip()), "")

    async def _watch(self, began: float) -> None:
        while not await self.spec.ready():
            self._trim_log()
            await asyncio.sleep(self._patience.probe)
        self._tell(self.spec.name, f"ready after {time.monotonic() - began:.1f} s")
        while True:
            self._trim_log()
            await asyncio.sleep(self._patience.trim)

    def _trim_log(self) -> None:
        # Children write in append mode, so a log can be truncated while they write.
        with contextlib.suppress(FileNotFoundError):
            size = self.spec.log.stat().st_size
            if size > self._patience.log_bytes:
                with self.spec.log.open("rb") as log:
                    log.seek(size - self._patience.log_bytes)
                    self.spec.log.with_suffix(".log.1").write_bytes(log.read(self._patience.log_bytes))
                os.truncate(self.spec.log, 0)

    def _kill_group(self, number: signal.Signals) -> None:
        if self._process is not None:
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(self._process.pid, number)


async def _next_line(lines: asyncio.StreamReader) -> bytes:
    """Return the next line, or a piece of one that is very long; nothing at the end."""
    try:
        return await lines.readuntil(b"\n")
    except asyncio.IncompleteReadError as error:
        return error.partial
    except asyncio.LimitOverrunError as error:
        return await lines.readexactly(error.consumed)


def _ending(code: int) -> str:
    return f"signal {signal.Signals(-code).name}" if code < 0 else f"exit code {code}"
