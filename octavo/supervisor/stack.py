"""The embedded stack as child processes: their commands, environments, and how each shows that it is ready."""

import os
import sys
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from urllib.parse import urlsplit

import anyio
import httpx

from octavo.authorities import authorities
from octavo.directory import DataDirectory
from octavo.objects import embedded
from octavo.settings import Settings
from octavo.supervisor import prefect_access, prefect_database
from octavo.supervisor.child import ChildSpec

TREE = Path(__file__).resolve().parent.parent.parent
LOOPBACK = "127.0.0.1"
EVERY_ADDRESS = {"0.0.0.0": LOOPBACK, "::": "::1"}  # noqa: S104 - compared, not bound
"""Hosts that mean every address of the machine, each with the one that this machine uses itself."""
WORKER_STOP_SECONDS = 60.0

# Measured: without batching in recorder and persister, 10,000 task runs lose records; a flush interval
# below 1 spins a core for ever; without lease storage on disk, a killed server leaks slots.
PREFECT_ENVIRONMENT = {
    "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
    "DO_NOT_TRACK": "1",
    "PREFECT_SERVER_SERVICES_TASK_RUN_RECORDER_READ_BATCH_SIZE": "200",
    "PREFECT_SERVER_SERVICES_TASK_RUN_RECORDER_BATCH_SIZE": "200",
    "PREFECT_SERVER_SERVICES_TASK_RUN_RECORDER_FLUSH_INTERVAL": "1",
    "PREFECT_SERVER_SERVICES_EVENT_PERSISTER_READ_BATCH_SIZE": "200",
    "PREFECT_SERVER_SERVICES_EVENT_PERSISTER_BATCH_SIZE": "200",
    "PREFECT_SERVER_SERVICES_EVENT_PERSISTER_FLUSH_INTERVAL": "1",
    "PREFECT_SERVER_SERVICES_TRIGGERS_READ_BATCH_SIZE": "200",
    "PREFECT_SERVER_SERVICES_TRIGGERS_ENABLED": "false",
    "PREFECT_SERVER_EVENTS_STREAM_OUT_ENABLED": "false",
    "PREFECT_SERVER_CONCURRENCY_LEASE_STORAGE": "prefect.server.concurrency.lease_storage.filesystem",
    # Counts where tag limits are on: asked again after about a second, not after as long as slots are held.
    "PREFECT_SERVER_TASKS_TAG_CONCURRENCY_SLOT_WAIT_SECONDS": "1",
    # Flow runs are removed by the flow `prune`, which knows whose they are.
    "PREFECT_SERVER_SERVICES_DB_VACUUM_ENABLED": "events,orphans",
    "PREFECT_SERVER_SERVICES_DB_VACUUM_BATCH_SIZE": "500",
    "PREFECT_WORKER_QUERY_SECONDS": "1",
    # A line `Finished in state Completed()` for every task run tells no more than its state.
    "PREFECT_LOGGING_LOGGERS_PREFECT_TASK_RUNS_LEVEL": "WARNING",
}
LONGEST_VACUUM_PERIOD_SECONDS = 3600
VACUUMS_PER_RETENTION = 24


@dataclass(frozen=True, slots=True)
class Addresses:
    """The address of each part of one stack."""

    api_url: str
    internal_api_url: str
    """Where workers and admin commands reach the API."""
    storage_url: str
    storage_public_url: str
    prefect_url: str


class Stack:
    """Ports, keys and child processes of one data directory; call under its lock."""

    def __init__(self, settings: Settings, directory: DataDirectory) -> None:
        self._settings = settings
        self._directory = directory
        api, storage = settings.api, settings.storage
        self._storage_host = storage.host or api.host
        self._api_port = directory.kept_port("api_port", wanted=api.port, host=api.host)
        self._internal_port = directory.kept_port("internal_port", wanted=api.internal_port, host=api.internal_host)
        self._storage_port = directory.kept_port("storage_port", wanted=storage.port, host=self._storage_host)
        self._prefect_port = directory.kept_port("prefect_port", wanted=settings.prefect.port, host=LOOPBACK)
        storage_url = storage.endpoint_url or _url(_reachable(self._storage_host), self._storage_port)
        self.addresses = Addresses(
            api_url=api.public_url or _url(_reachable(api.host), self._api_port),
            internal_api_url=_url(_reachable(api.internal_host), self._internal_port),
            storage_url=storage_url,
            storage_public_url=storage.public_url or self._derived_public_url() or storage_url,
            prefect_url=settings.prefect.api_url or f"{_url(LOOPBACK, self._prefect_port)}/api",
        )

    @property
    def prefect_ui_url(self) -> str:
        """Address of the Prefect UI."""
        return self._settings.prefect.ui_url or self.addresses.prefect_url.removesuffix("/api")

    @property
    def prefect_login_file(self) -> Path | None:
        """The file with the login of the embedded Prefect server; None where the server is the operator's own."""
        return None if self._settings.prefect.api_url else self._directory.secret_file(prefect_access.LOGIN)

    def _prefect_login(self) -> str | None:
        if self._settings.prefect.api_url is None:
            return prefect_access.make_login(self._directory)
        return prefect_access.own_login(self._settings)

    def _derived_public_url(self) -> str | None:
        """Return the embedded storage at the host at which clients know the API, if it listens there."""
        known = urlsplit(self._settings.api.public_url or "")
        if self._settings.storage.endpoint_url or self._storage_host not in EVERY_ADDRESS or known.scheme != "http":
            return None
        return _url(known.hostname, self._storage_port) if known.hostname else None

    def advice(self) -> list[str]:
        """Return what an operator should know about these addresses before clients use them."""
        urls = {
            "OCTAVO_API__PUBLIC_URL": self.addresses.api_url,
            "OCTAVO_STORAGE__PUBLIC_URL": self.addresses.storage_public_url,
        }
        if self._settings.api.host not in EVERY_ADDRESS:
            return []
        return [
            f"clients on other machines are sent to {url}; set {name} to an address they can reach"
            for name, url in urls.items()
            if urlsplit(url).hostname in (LOOPBACK, "::1")
        ]

    def listeners(self) -> list[tuple[str, str, int]]:
        """Return name, host and port of everything that this stack will listen on."""
        api = self._settings.api
        found = [("api", api.host, self._api_port), ("internal", api.internal_host, self._internal_port)]
        if not self._settings.storage.endpoint_url:
            found.append(("storage", self._storage_host, self._storage_port))
        if not self._settings.prefect.api_url:
            found.append(("prefect", LOOPBACK, self._prefect_port))
        return found

    def specs(self) -> list[ChildSpec]:
        """Return the children in the order in which they start; they are stopped in reverse."""
        storage = [] if self._settings.storage.endpoint_url else [self._storage()]
        prefect = [] if self._settings.prefect.api_url else [self._prefect()]
        return [*storage, *prefect, self._api(), *map(self._worker, self._settings.worker.names)]

    def storage_alone(self) -> ChildSpec | None:
        """Return the storage server for work on a stopped stack; None if storage is not embedded."""
        return None if self._settings.storage.endpoint_url else self._storage()

    def _storage(self) -> ChildSpec:
        keys = embedded.load_or_create_keys(self._directory.storage_keys)
        addresses = [(self._storage_host, self._storage_port)]
        origins = self._settings.api.allowed_origins
        command = embedded.storage_command(
            embedded.find_rclone(),
            self._directory.objects,
            addresses=addresses,
            # The server supports one origin; with several, the API still keeps to its own list.
            allowed_origin=(origins[0] if len(origins) == 1 else "*") if origins else None,
        )
        return ChildSpec(
            name="storage",
            command=tuple(command),
            environment=embedded.storage_environment(keys, os.environ),
            log=self._directory.logs / "storage.log",
            ready=answers(self.addresses.storage_url, any_status=True),
            noise=embedded.NOISE,
            # Before a start nothing is being uploaded: whatever is unfinished, of any age, was abandoned.
            clear=partial(embedded.remove_abandoned_uploads, self._directory.objects, older_than_seconds=0.0),
        )

    def _prefect(self) -> ChildSpec:
        home = self._directory.prefect.resolve()
        prefect_database.compact(home / "prefect.db")
        environment = (
            dict(os.environ)
            | PREFECT_ENVIRONMENT
            | vacuum_environment(self._settings.prefect.keep_events_days)
            | {
                "PREFECT_HOME": str(home),
                "PREFECT_SERVER_DATABASE_CONNECTION_URL": f"sqlite+aiosqlite:///{home}/prefect.db",
                "PREFECT_API_URL": self.addresses.prefect_url,
                # Relative: the UI calls the server at whatever address it was opened at, a tunnel's, too.
                "PREFECT_UI_API_URL": "/api",
                "PREFECT_SERVER_API_AUTH_STRING": prefect_access.make_login(self._directory),
                "OCTAVO_DATA": str(self._directory.path.resolve()),
                "OCTAVO_PREFECT__UI_URL": self.prefect_ui_url,
            }
        )
        return ChildSpec(
            name="prefect",
            # Prefect's app, with retries when SQLite is busy, in one process that can be ended by its pid.
            command=(
                *(sys.executable, "-m", "uvicorn", "--factory", "deployments.prefect_server:create_app"),
                *("--host", LOOPBACK, "--port", str(self._prefect_port), "--log-level", "warning"),
                *("--timeout-keep-alive", "5"),
            ),
            environment=environment,
            log=self._directory.logs / "prefect.log",
            ready=answers(f"{self.addresses.prefect_url}/health"),
        )

    def _octavo_environment(self) -> dict[str, str]:
        storage = self._settings.storage
        found = (
            dict(os.environ)
            | PREFECT_ENVIRONMENT
            | {
                "PREFECT_HOME": str((self._directory.path / "prefect-client").resolve()),
                "PREFECT_API_URL": self.addresses.prefect_url,
                "OCTAVO_DATA": str(self._directory.path.resolve()),
                "OCTAVO_API__HOST": self._settings.api.host,
                "OCTAVO_API__PORT": str(self._api_port),
                "OCTAVO_API__PUBLIC_URL": self.addresses.api_url,
                "OCTAVO_API__INTERNAL_HOST": self._settings.api.internal_host,
                "OCTAVO_API__INTERNAL_PORT": str(self._internal_port),
                "OCTAVO_STORAGE__ENDPOINT_URL": self.addresses.storage_url,
                "OCTAVO_STORAGE__PUBLIC_URL": self.addresses.storage_public_url,
                "OCTAVO_PREFECT__API_URL": self.addresses.prefect_url,
                "OCTAVO_PREFECT__UI_URL": self.prefect_ui_url,
                "OCTAVO_WORKER__API_URL": self.addresses.internal_api_url,
                "PYTHONUNBUFFERED": "1",
            }
        )
        if (login := self._prefect_login()) is not None:
            # Prefect's clients know the first, ours the second.
            found |= {prefect_access.AUTH_VARIABLE: login, "OCTAVO_PREFECT__AUTH_STRING": login}
        if storage.endpoint_url is None:
            keys = embedded.load_or_create_keys(self._directory.storage_keys)
            found |= {
                "OCTAVO_STORAGE__ACCESS_KEY": keys.access_key,
                "OCTAVO_STORAGE__SECRET_KEY": keys.secret_key,
            }
        return found

    def _api(self) -> ChildSpec:
        return ChildSpec(
            name="api",
            command=(sys.executable, "-m", "api"),
            environment=self._octavo_environment(),
            log=self._directory.logs / "api.log",
            # A 503 shows that the API itself is up while another part is not yet.
            ready=answers(f"{self.addresses.internal_api_url}/health", any_status=True),
        )

    def _worker(self, worker_name: str) -> ChildSpec:
        worker = self._settings.worker
        number = worker.names.index(worker_name) + 1
        name = "worker" if number == 1 else f"worker-{number}"
        scratch = self._directory.scratch.resolve() / name
        ready_file = scratch / "ready"
        return ChildSpec(
            name=name,
            command=(sys.executable, "-m", "deployments.worker"),
            # The temporary files of a worker are where its next start begins by deleting them.
            environment=self._octavo_environment()
            | {
                "TMPDIR": str(scratch),
                "OCTAVO_READY_FILE": str(ready_file),
                "OCTAVO_WORKER__NAME": worker_name,
                "OCTAVO_WORKER__PROCESSES": str(worker.children),
                "OCTAVO_WORKER__MEMORY_BYTES": str(worker.document_memory),
            },
            log=self._directory.logs / f"{name}.log",
            ready=is_there(ready_file),
            stop_seconds=WORKER_STOP_SECONDS,
            scratch=scratch,
            stops_with="worker",
        )


def vacuum_environment(keep_events_days: float) -> dict[str, str]:
    """Return how long Prefect's server keeps events, and how often it checks for old ones and for orphans."""
    keep_seconds = max(1, round(keep_events_days * 24 * 3600))
    period = str(max(1, min(LONGEST_VACUUM_PERIOD_SECONDS, keep_seconds // VACUUMS_PER_RETENTION)))
    return {
        # As ISO 8601: a bare number of seconds, which other settings accept, keeps the server from starting.
        "PREFECT_SERVER_EVENTS_RETENTION_PERIOD": f"PT{keep_seconds}S",
        "PREFECT_SERVER_SERVICES_DB_VACUUM_LOOP_SECONDS": period,
        "PREFECT_SERVER_SERVICES_DB_VACUUM_ORPHAN_CLEANUP_LOOP_SECONDS": period,
    }


def _reachable(host: str) -> str:
    """Return an address at which a server bound to `host` can be reached from this machine."""
    return EVERY_ADDRESS.get(host, host)


def _url(host: str, port: int) -> str:
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


def answers(url: str, *, any_status: bool = False) -> Callable[[], Awaitable[bool]]:
    """Return a probe that checks whether this address answers, with 200 unless any status will do."""

    async def probe() -> bool:
        try:
            async with httpx.AsyncClient(trust_env=False, timeout=5.0, verify=authorities()) as client:
                return (await client.get(url)).status_code == 200 or any_status
        except httpx.HTTPError:
            return False

    return probe


def is_there(file: Path) -> Callable[[], Awaitable[bool]]:
    """Return a probe that checks whether this file exists."""

    async def probe() -> bool:
        return await anyio.Path(file).exists()

    return probe
