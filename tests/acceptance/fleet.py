"""A fleet on one machine: PostgreSQL, Redis, Prefect's server in two processes, an API node, workers.

The same processes and settings as in `deployments/compose.yaml`, each on a free port of the loopback interface.
"""

import contextlib
import os
import pwd
import secrets
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import redis

from octavo.directory import free_port
from tests.acceptance.stack import ROOT, Stack, clean_environment, new_stack, wait_for

PREFECT = str(Path(sys.executable).parent / "prefect")
UVICORN = str(Path(sys.executable).parent / "uvicorn")
PREFECT_SERVER_ENV = ROOT / "deployments" / "prefect-server.env"
POSTGRES_ROOTS = ("/usr/lib/postgresql/*/bin", "/opt/homebrew/opt/postgresql*/bin", "/usr/local/opt/postgresql*/bin")
START_SECONDS = 60.0
SILENCE_SECONDS = 6.0


def read_env(path: Path) -> dict[str, str]:
    """Return the settings of an env file."""
    lines = [line for line in path.read_text().splitlines() if line and not line.startswith("#")]
    return dict(line.split("=", 1) for line in lines)


def postgres_program(name: str) -> str:
    """Return where one of PostgreSQL's programs is: on the path, or where Debian and Homebrew keep them."""
    found = shutil.which(name)
    places = [place for root in POSTGRES_ROOTS for place in sorted(Path("/").glob(f"{root[1:]}/{name}"))]
    assert found or places, f"{name} is not installed: make setup-test"
    return found or str(places[-1])


def other_user() -> str | None:
    """Return whom PostgreSQL runs as: its own user where this process is root, which it refuses."""
    if os.geteuid() != 0:
        return None
    return pwd.getpwnam("postgres").pw_name


@dataclass
class Process:
    """A process of the fleet, with its log."""

    name: str
    popen: subprocess.Popen[bytes]
    log: Path

    @property
    def pid(self) -> int:
        return self.popen.pid

    def wait_until(self, is_ready: Callable[[], bool], *, limit: float = START_SECONDS) -> None:
        """Wait for a condition, which fails when the process ends before."""

        def look() -> bool:
            assert self.popen.poll() is None, f"{self.name} has ended:\n{self.log.read_text()[-3000:]}"
            return is_ready()

        wait_for(look, limit=limit, what=f"{self.name} ready")

    def end(self, number: signal.Signals = signal.SIGTERM, *, limit: float = 120.0) -> int:
        """Send a signal, wait for the end; returns the exit code."""
        self.popen.send_signal(number)
        return self.popen.wait(limit)


@dataclass
class Fleet:
    """Everything that runs; `stack` is the node with the API."""

    folder: Path
    stack: Stack
    redis: redis.Redis
    processes: list[Process] = field(default_factory=list)

    def start(
        self, name: str, *command: str, user: str | None = None, environment: Mapping[str, str] | None = None
    ) -> Process:
        """Start a process in a group of its own."""
        log = self.folder / f"{name}.log"
        with log.open("ab") as stream:
            popen = subprocess.Popen(
                command,
                cwd=ROOT,
                env=clean_environment(**(environment or {})),
                stdin=subprocess.DEVNULL,
                stdout=stream,
                stderr=stream,
                user=user,
                group=user,
                extra_groups=None if user is None else [],
                start_new_session=True,
            )
        process = Process(name, popen, log)
        self.processes.append(process)
        return process

    def worker(self, name: str, *, slots: int, by_prefect: bool = False) -> Process:
        """Start a worker, by our own command or by Prefect's."""
        home = self.folder / name
        home.mkdir()
        environment = {
            **self.stack.prefect_environment,
            "PREFECT_HOME": str(home),
            "PREFECT_WORKER_QUERY_SECONDS": "1",
            "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
            "TMPDIR": str(home),
            "OCTAVO_DATA": str(home),
            "OCTAVO_WORKER__API_URL": self.stack.internal_url,
            "OCTAVO_WORKER__TOKEN": (self.stack.data / "secrets" / "worker_token").read_text(),
            "OCTAVO_WORKER__NAME": name,
            "OCTAVO_WORKER__SLOTS": str(slots),
            "OCTAVO_WORKER__PROCESSES": "1",
            "OCTAVO_WORKER__TEST_ENGINES": "true",
        }
        ours = (sys.executable, "-m", "deployments.worker")
        theirs = (PREFECT, "worker", "start", "--pool", "octavo", "--type", "octavo", "--name", name)
        return self.start(name, *(theirs if by_prefect else ours), environment=environment)

    def workers(self) -> list[str]:
        """Return the names of the workers that the API knows to be there."""
        health = self.stack.health()
        return [] if health is None else list(health.json()["workers"])

    def end(self) -> None:
        """End what still runs, the last started first."""
        for process in reversed(self.processes):
            if process.popen.poll() is None:
                process.popen.send_signal(signal.SIGINT if process.name == "postgres" else signal.SIGTERM)
                with contextlib.suppress(subprocess.TimeoutExpired):
                    process.popen.wait(10)
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(process.pid, signal.SIGKILL)
            process.popen.wait()


def _start_postgres(fleet: Fleet, port: int) -> None:
    user = other_user()
    data = fleet.folder / "postgres"
    data.mkdir(mode=0o700)
    if user is not None:
        shutil.chown(data, user, user)
    make = [postgres_program("initdb"), "-D", str(data), "-U", "prefect", "--auth=trust", "-E", "UTF8", "--no-sync"]
    subprocess.run(
        [*make, "--locale=C"], check=True, capture_output=True, user=user, extra_groups=None if user is None else []
    )
    process = fleet.start(
        "postgres",
        *(postgres_program("postgres"), "-D", str(data), "-p", str(port), "-k", str(data)),
        *("-c", "listen_addresses=127.0.0.1", "-c", "fsync=off", "-c", "max_connections=200"),
        user=user,
    )
    at = ("-h", "127.0.0.1", "-p", str(port), "-U", "prefect")
    process.wait_until(lambda: _succeeds(postgres_program("pg_isready"), *at))
    assert _succeeds(postgres_program("createdb"), *at, "prefect")


def _succeeds(*command: str) -> bool:
    return subprocess.run(command, capture_output=True, check=False).returncode == 0


def _start_redis(fleet: Fleet, port: int, password: str) -> None:
    settings = fleet.folder / "redis.conf"
    settings.write_text(f"bind 127.0.0.1\nport {port}\nrequirepass {password}\nsave ''\ndir {fleet.folder}\n")
    process = fleet.start("redis", "redis-server", str(settings))

    def answers() -> bool:
        with contextlib.suppress(redis.ConnectionError):
            return bool(fleet.redis.ping())
        return False

    process.wait_until(answers)


def _start_all(fleet: Fleet, port: int, *, postgres_port: int, redis_url: str) -> None:
    """Start Prefect's two processes and the API node; each waits by itself for what it needs."""
    environment = read_env(PREFECT_SERVER_ENV) | {
        "PREFECT_HOME": str(fleet.folder / "prefect"),
        "PREFECT_API_URL": fleet.stack.prefect_access.api_url,
        "PREFECT_SERVER_API_AUTH_STRING": fleet.stack.prefect_access.login or "",
        "PREFECT__SERVER_FINAL": "1",
        "PREFECT_SERVER_DATABASE_CONNECTION_URL": f"postgresql+asyncpg://prefect@127.0.0.1:{postgres_port}/prefect",
        "PREFECT_REDIS_MESSAGING_URL": redis_url,
        "PREFECT_SERVER_DOCKET_URL": redis_url,
    }
    where = ("--host", "127.0.0.1", "--port", str(port), "--log-level", "warning")
    server = (UVICORN, "--factory", "deployments.prefect_server:create_web_app")
    fleet.start("prefect-api", *server, *where, environment=environment)
    fleet.stack.start()
    # After the server, which has brought the database up to date.
    fleet.start("prefect-services", PREFECT, "server", "services", "start", environment=environment)


@contextlib.contextmanager
def running_fleet(**settings: str) -> Iterator[Fleet]:
    """Start everything but workers; all of it is ended afterwards, by pid."""
    # Not pytest's folder: nobody else may look into that, and PostgreSQL runs as somebody else.
    folder = Path(tempfile.mkdtemp(prefix="octavo-fleet-"))
    folder.chmod(0o711)
    prefect_port, postgres_port, redis_port = free_port(), free_port(), free_port()
    password = secrets.token_urlsafe(16)
    ui_url = f"http://127.0.0.1:{prefect_port}"
    stack = new_stack(
        folder / "data",
        **{
            "OCTAVO_PREFECT__API_URL": f"{ui_url}/api",
            "OCTAVO_PREFECT__UI_URL": ui_url,
            "OCTAVO_PREFECT__AUTH_STRING": f"fleet:{secrets.token_urlsafe(16)}",
            "OCTAVO_WORKER__COUNT": "0",
            "OCTAVO_WORKER__SILENCE_SECONDS": str(SILENCE_SECONDS),
        }
        | settings,
    )
    fleet = Fleet(folder, stack, redis.Redis(port=redis_port, password=password))
    try:
        _start_postgres(fleet, postgres_port)
        _start_redis(fleet, redis_port, password)
        _start_all(
            fleet,
            prefect_port,
            postgres_port=postgres_port,
            redis_url=f"redis://:{password}@127.0.0.1:{redis_port}/0",
        )
        yield fleet
    finally:
        if stack.process is not None and stack.process.poll() is None:
            stack.stop()
        fleet.redis.close()
        fleet.end()
        shutil.rmtree(folder, ignore_errors=True)
