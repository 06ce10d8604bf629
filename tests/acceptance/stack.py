"""A real stack for acceptance tests: `octavo up` in a process of its own, as its customer and its operator see it.

One stack serves a whole test session (`session_stack`); it is ended with the session.
"""

import contextlib
import os
import secrets
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self, TypeVar

import httpx
import pytest
from prefect.client.orchestration import PrefectClient

from octavo.authorities import authorities
from octavo.cli import admin
from octavo.client.customer import CustomerClient
from octavo.directory import DataDirectory, free_port
from octavo.settings import PrefectSettings, Settings
from octavo.supervisor.prefect_access import PrefectAccess, read_access

ROOT = Path(__file__).resolve().parent.parent.parent
OCTAVO = str(Path(sys.executable).parent / "octavo")
READY_SECONDS = 60.0
FIRST_LOOK_SECONDS = 0.05
LOOK_SHARE = 0.05
"""A look comes after this share of the time waited so far: what takes long is looked at less often."""
LONGEST_LOOK_SECONDS = 0.3
PATIENCE = 4.0
"""How many times longer than on a quiet machine a test waits before it fails."""
ENDED = frozenset({"completed", "partially_failed", "failed", "cancelled"})
PARTS = {
    "storage": "serve s3",
    "prefect": "prefect_server:create_app",
    "api": "-m api",
    "worker": "-m deployments.worker",
}
"""What the command line of each child holds."""

_STACK = pytest.StashKey["Stack"]()


T = TypeVar("T")


def wait_for(look: Callable[[], T | None], *, limit: float, what: str) -> T:
    """Return the first true thing that `look` sees; fails when a quiet machine's `limit` is over several times."""
    began = time.monotonic()
    while not (found := look()):
        waited = time.monotonic() - began
        assert waited < limit * PATIENCE, f"{what}: not within {limit * PATIENCE:.0f} s"
        time.sleep(min(max(FIRST_LOOK_SECONDS, waited * LOOK_SHARE), LONGEST_LOOK_SECONDS))
    return found


def clean_environment(**more: str) -> dict[str, str]:
    """Return this environment without anybody's settings."""
    kept = {
        name: value for name, value in os.environ.items() if not name.startswith(("OCTAVO_", "PREFECT_", "RCLONE_"))
    }
    # A terminal that is narrow would break the lines the tests look for.
    return kept | {"COLUMNS": "200", "NO_COLOR": "1"} | more


def run_octavo(*arguments: str, limit: float = 240.0, **more: str) -> subprocess.CompletedProcess[str]:
    """Run one command of `octavo` to its end."""
    return subprocess.run(
        [OCTAVO, *arguments], env=clean_environment(**more), capture_output=True, text=True, timeout=limit, check=False
    )


def processes() -> dict[int, tuple[int, str]]:
    """Return every living process: its pid, and its parent's pid and command line."""
    found = {}
    for folder in Path("/proc").iterdir():
        if folder.name.isdecimal():
            with contextlib.suppress(FileNotFoundError, ProcessLookupError):
                state, parent, *_ = (folder / "stat").read_text().rpartition(")")[2].split()
                if state != "Z":
                    line = (folder / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
                    found[int(folder.name)] = (int(parent), line)
    return found


@dataclass
class Batch:
    """One submitted batch, as its customer sees it."""

    client: CustomerClient
    batch_id: str
    running: list[int] = field(default_factory=list)
    """How many items ran, at each look."""

    def look(self) -> dict[str, Any]:
        """Return the batch with its first 500 items."""
        found = self.client.batch(self.batch_id)
        self.running.append(found["counts"]["running"])
        return found

    def succeeded(self) -> int:
        """Return how many items have succeeded by now."""
        return int(self.look()["counts"]["succeeded"])

    def wait_until_running(self, *, succeeded: int = 1) -> None:
        """Wait until some items are done and the batch is in full course."""
        wait_for(lambda: self.succeeded() >= succeeded, limit=40, what=f"{succeeded} items of {self.batch_id} done")

    def wait_until_ended(self, *, limit: float = 80.0) -> dict[str, Any]:
        """Return the batch when every item is terminal."""

        def ended() -> dict[str, Any] | None:
            found = self.look()
            return found if found["status"] in ENDED else None

        return wait_for(ended, limit=limit, what=f"the end of batch {self.batch_id}")


@dataclass
class Stack:
    """A running `octavo up`."""

    data: Path
    port: int
    host: str = "127.0.0.1"
    settings: Mapping[str, str] = field(default_factory=dict)
    process: subprocess.Popen[bytes] | None = None
    outside: int = 0
    """A port of loopback that this stack may speak to on behalf of customers."""
    page_port: int = 0
    """A port of loopback whose pages may call the API and storage."""

    @property
    def url(self) -> str:
        return f"http://{self.host}:{self.port}"

    @property
    def internal_url(self) -> str:
        """Where workers and admin commands reach the API."""
        return DataDirectory(self.data).notes()["internal_api_url"]

    @property
    def terminal(self) -> str:
        """What the stack has printed, over all its lives."""
        return (self.data / "terminal").read_text()

    def start(self) -> None:
        """Start and wait until all of it is healthy."""
        self.data.mkdir(parents=True, exist_ok=True)
        with (self.data / "terminal").open("ab") as terminal:
            self.process = subprocess.Popen(
                [OCTAVO, "up", "--data", str(self.data), "--port", str(self.port)],
                env=clean_environment(**self.settings),
                stdout=terminal,
                stderr=terminal,
                stdin=subprocess.DEVNULL,
                start_new_session=True,
            )
        self.wait_until_healthy()

    def health(self) -> httpx.Response | None:
        """Return what `/health` answers, if it does."""
        with contextlib.suppress(httpx.HTTPError):
            return httpx.get(f"{self.url}/health", timeout=5.0, trust_env=False, verify=authorities())
        return None

    def wait_until_healthy(self) -> None:
        """Wait until every part is well."""

        def healthy() -> bool:
            assert self.process is not None
            assert self.process.poll() is None, f"the stack has ended:\n{self.terminal}"
            answer = self.health()
            return answer is not None and answer.status_code == 200

        wait_for(healthy, limit=READY_SECONDS, what="a healthy stack")

    def stop(self) -> int:
        """End the stack in good order; returns its exit code."""
        if self.process is None:
            return 0
        self.process.terminate()
        try:
            return self.process.wait(240)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
            raise

    @contextlib.contextmanager
    def running(self) -> Iterator[Self]:
        """Start the stack, and end it afterwards, also when it does not get healthy."""
        try:
            self.start()
            yield self
        finally:
            self.stop()

    def pid_of(self, part: str) -> int:
        """Return the process id of a child, waiting for it."""

        def look() -> int | None:
            assert self.process is not None
            for pid, (parent, line) in processes().items():
                if parent == self.process.pid and PARTS[part] in line:
                    return pid
            return None

        return wait_for(look, limit=20, what=f"process {part}")

    def family(self) -> list[int]:
        """Return every process of this stack, the parent first."""
        assert self.process is not None
        everyone = processes()
        found = [self.process.pid]
        for pid in found:
            found += [child for child, (parent, _) in everyone.items() if parent == pid]
        return found

    def strike(self, part: str, number: signal.Signals) -> None:
        """Send a child a signal and wait until a new one is in its place."""
        old = self.pid_of(part)
        os.kill(old, number)
        wait_for(lambda: old not in processes(), limit=60, what=f"the end of {part} {old}")

    # As a customer

    def new_key(self, customer: str) -> str:
        """Return a fresh key of this customer, as `octavo keys create` makes it, without a process of its own."""
        return admin.create_key(self.data, customer=customer, label="")

    @contextlib.contextmanager
    def customer(self, name: str | None = None) -> Iterator[CustomerClient]:
        """Give a client of a customer, a new one if not named."""
        with CustomerClient(self.url, self.new_key(name or f"customer-{secrets.token_hex(4)}")) as client:
            yield client

    def submit_sleeping(self, client: CustomerClient, folder: Path, *, items: int, seconds: float) -> Batch:
        """Submit a batch whose items wait so long and come out with one page each."""
        file_ids = []
        for number in range(items):
            path = folder / f"page-{number:03}.txt"
            # Bytes of its own for each, or one result would serve them all.
            path.write_bytes(secrets.token_bytes(64))
            staged = client.stage(path)
            client.upload(staged, path)
            file_ids.append(staged.file_id)
        made = client.submit(file_ids, engine=f"sleep:{seconds}", idempotency_key=secrets.token_hex(8))
        return Batch(client, made["id"])

    # As an operator who looks at Prefect

    @property
    def prefect_access(self) -> PrefectAccess:
        """Where Prefect is and how one signs in, as `octavo doctor --json` tells it."""
        given = {
            name.removeprefix("OCTAVO_PREFECT__").lower(): value
            for name, value in self.settings.items()
            if name.startswith("OCTAVO_PREFECT__")
        }
        settings = Settings(data=self.data)
        prefect = PrefectSettings.model_validate(dict(settings.prefect) | given)
        found = read_access(settings.model_copy(update={"prefect": prefect}))
        assert found is not None
        return found

    def prefect_client(self) -> PrefectClient:
        """Return a client of Prefect's, signed in."""
        access = self.prefect_access
        return PrefectClient(access.api_url, auth_string=access.login)

    @property
    def prefect_environment(self) -> dict[str, str]:
        """What a process is given so that Prefect's own programs find this stack's server."""
        access = self.prefect_access
        return {"PREFECT_API_URL": access.api_url} | (
            {} if access.login is None else {"PREFECT_API_AUTH_STRING": access.login}
        )

    def prefect(self, method: str, path: str, body: object = None) -> Any:  # noqa: ANN401 - JSON
        """Return what Prefect's REST API answers."""
        access = self.prefect_access
        answer = httpx.request(
            method,
            url := f"{access.api_url}{path}",
            json=body,
            headers=access.headers,
            timeout=30.0,
            trust_env=False,
            verify=authorities(),
        )
        assert answer.status_code < 300, f"{url}: {answer.status_code} {answer.text}"
        return answer.json() if answer.content else None

    def flow_runs(self, batch_id: str) -> list[dict[str, Any]]:
        """Return the flow runs of a batch, in the order they were made."""
        wanted = {"flow_runs": {"tags": {"all_": [f"batch:{batch_id}"]}}, "sort": "EXPECTED_START_TIME_ASC"}
        found: list[dict[str, Any]] = self.prefect("POST", "/flow_runs/filter", wanted)
        return sorted(found, key=lambda run: str(run["created"]))

    def undone(self, batch_id: str) -> list[str]:
        """Return what Prefect shows of a batch that has not come to an end: flow runs and task runs."""
        found = {"type": {"not_any_": ["COMPLETED", "FAILED", "CRASHED", "CANCELLED"]}}
        ours = {"tags": {"all_": [f"batch:{batch_id}"]}}
        flow_runs = self.prefect("POST", "/flow_runs/filter", {"flow_runs": ours | {"state": found}})
        states = {"type": {"any_": ["RUNNING", "PENDING", "SCHEDULED", "CANCELLING", "PAUSED"]}}
        wanted = {"flow_runs": ours, "task_runs": {"state": states}}
        task_runs = self.prefect("POST", "/task_runs/filter", wanted)
        return [f"{run['name']}: {run['state']['name']}" for run in [*flow_runs, *task_runs]]

    def wait_until_prefect_shows_the_end(self, batch_id: str, *, limit: float = 60.0) -> None:
        """Wait until no flow run and no task run of an ended batch is shown as under way."""
        wait_for(lambda: not self.undone(batch_id), limit=limit, what=f"the end of {batch_id} in Prefect")

    def wait_for_flow_run(self, batch_id: str, state: str, *, limit: float = 40.0) -> dict[str, Any]:
        """Return a flow run of this batch that is in a state of this name."""

        def look() -> dict[str, Any] | None:
            return next((run for run in self.flow_runs(batch_id) if run["state"]["name"] == state), None)

        return wait_for(look, limit=limit, what=f"a flow run of {batch_id} that is {state}")


def new_stack(data: Path, **settings: str) -> Stack:
    """Return a stack with the test engines on and the rate limit out of the way, not started yet."""
    given = {"OCTAVO_WORKER__TEST_ENGINES": "true", "OCTAVO_LIMITS__SUBMISSIONS_PER_MINUTE": "100000"}
    return Stack(data, free_port(), settings=given | settings)


def session_stack(config: pytest.Config) -> Stack:
    """Return the one stack of this test session, started when first asked for."""
    if _STACK not in config.stash:
        folder = tempfile.TemporaryDirectory(prefix="octavo-acceptance-")
        config.add_cleanup(folder.cleanup)
        outside, page_port = free_port(), free_port()
        stack = new_stack(
            Path(folder.name) / "data",
            OCTAVO_OUTBOUND__ALLOW=f'["127.0.0.1:{outside}"]',
            OCTAVO_API__ALLOWED_ORIGINS=f'["http://127.0.0.1:{page_port}"]',
            # A test does not wait minutes between two attempts.
            OCTAVO_WEBHOOKS__RETRY_SECONDS="[0, 0.5, 1, 1]",
            OCTAVO_WEBHOOKS__POST_SECONDS="3",
            # Documents of a test are long after a second.
            OCTAVO_WORKER__KEEP_PAGES_SECONDS="1",
        )
        stack.outside, stack.page_port = outside, page_port
        config.add_cleanup(lambda: _end(stack))
        stack.start()
        config.stash[_STACK] = stack
    return config.stash[_STACK]


def end_session_stack(config: pytest.Config) -> None:
    """End the stack of this session, if there is one; `start_session_stack_again` brings it back with its data."""
    if _STACK in config.stash:
        _end(config.stash[_STACK])


def start_session_stack_again(config: pytest.Config) -> None:
    """Start the stack of this session if it has been ended."""
    stack = config.stash.get(_STACK, None)
    if stack is not None and stack.process is not None and stack.process.poll() is not None:
        stack.start()


def _end(stack: Stack) -> None:
    if stack.process is not None:
        stack.process.terminate()
        with contextlib.suppress(subprocess.TimeoutExpired):
            stack.process.wait(60)
        stack.process.kill()
        stack.process.wait()
