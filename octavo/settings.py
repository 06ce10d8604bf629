"""All settings of Octavo: one class, read once, in `wiring.py` and when a process starts.

Each setting is an environment variable (`OCTAVO_API__PORT`, group and name joined by two
underscores) or a line of `octavo.toml` in the data directory (`[api]`, `port = 8000`); the
environment wins. Units are in the names. The reference page is generated from these descriptions.
"""

import os
import tomllib
from pathlib import Path
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, SecretStr, ValidationError, field_validator
from pydantic_core import ErrorDetails
from pydantic_settings import (
    BaseSettings,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
    SettingsError,
    TomlConfigSettingsSource,
)

from octavo.errors import InvalidSettings
from octavo.outbound import Allowed

SETTINGS_FILE = "octavo.toml"
CGROUP_LIMIT = Path("/sys/fs/cgroup/memory.max")
"""What a container may use of the machine's memory: bytes, or `max`."""
CGROUP_CORES = Path("/sys/fs/cgroup/cpu.max")
"""What a container may use of the machine's cores: microseconds, or `max`, in each period of microseconds."""


def machine_memory() -> int:
    """Return how many bytes of memory this process may use: the machine's, or its container's limit if lower."""
    physical = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    try:
        limit = CGROUP_LIMIT.read_text().strip()
    except OSError:
        return physical
    return min(physical, int(limit)) if limit.isdecimal() else physical


def machine_cores() -> int:
    """Return how many cores this process may use: the machine's, or its container's limit, rounded up, if lower."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    try:
        quota, _, period = CGROUP_CORES.read_text().strip().partition(" ")
    except OSError:
        return cores
    return min(cores, -(-int(quota) // int(period))) if quota.isdecimal() else cores


class _Group(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class ApiSettings(_Group):
    """The HTTP service."""

    host: str = Field("127.0.0.1", description="Address that the API binds; 0.0.0.0 for all.")
    port: int = Field(8000, ge=0, le=65535, description="Port of the API.")
    public_url: str | None = Field(
        None, description="Address at which clients reach the API; http://HOST:PORT if not set."
    )
    internal_host: str = Field(
        "127.0.0.1", description="Address of the listener for workers and admin commands; 0.0.0.0 in a fleet."
    )
    internal_port: int = Field(
        0, ge=0, le=65535, description="Port of that listener; 0: a free one, kept across restarts."
    )
    allowed_hosts: list[str] = Field(
        default_factory=list,
        description="Names in the Host header, without port, besides those of loopback, of `host` and of `public_url`; "
        "* for any. If not set and `host` is not loopback, any.",
    )
    allowed_origins: list[str] = Field(
        default_factory=list,
        description="Origins whose pages may call the API and storage (CORS); * for any.",
    )
    source_url: str | None = Field(
        None,
        description="Where the source of this service is published, for modified versions; "
        "if not set, `/source` is an archive of the running code.",
    )
    max_body_bytes: int = Field(4 * 1024 * 1024, gt=0, description="Largest JSON body that the API accepts.")
    max_connections: int = Field(
        4096, gt=0, description="Connections at once; beyond these, idle ones are closed, then new ones."
    )
    header_seconds: float = Field(10.0, gt=0, description="Longest time for the headers of a request.")
    body_grace_seconds: float = Field(
        20.0, gt=0, description="How long a body may take in any case, however slowly it arrives."
    )
    min_body_bytes_per_second: int = Field(
        1000, gt=0, description="How fast a body must arrive on average after that time."
    )


class StorageSettings(_Group):
    """Object storage; the embedded server unless `endpoint_url` names another S3."""

    host: str | None = Field(None, description="Address that the embedded server binds; that of the API if not set.")
    port: int = Field(
        0, ge=0, le=65535, description="Port of the embedded server; 0: a free one, kept across restarts."
    )
    endpoint_url: str | None = Field(None, description="Address at which the service itself reaches storage.")
    public_url: str | None = Field(
        None, description="Address at which clients reach storage; upload and download URLs are signed for it."
    )
    bucket: str = Field("octavo", min_length=3, max_length=63, description="Bucket; created if it is missing.")
    region: str = Field("us-east-1", description="Region used in signatures.")
    access_key: SecretStr | None = Field(None, description="Access key; random for the embedded server.")
    secret_key: SecretStr | None = Field(None, description="Secret key; random for the embedded server.")
    credentials_block: str | None = Field(
        None,
        description="A prefect-aws block, `aws-credentials/NAME` or `minio-credentials/NAME`, instead of the keys.",
    )
    presign_put_seconds: int = Field(3600, gt=0, description="How long an upload URL is valid.")
    presign_get_seconds: int = Field(300, gt=0, description="How long a result URL is valid, at most.")


class PrefectSettings(_Group):
    """The orchestrator; an embedded server unless `api_url` names another."""

    api_url: str | None = Field(None, description="Address of a Prefect API, ending in /api.")
    ui_url: str | None = Field(None, description="Address of the Prefect UI, for its operator.")
    auth_string: SecretStr | None = Field(
        None,
        description="Login of a Prefect server of your own, `USER:PASSWORD`; the embedded server has a random one.",
    )
    hosts: list[str] = Field(
        default_factory=list,
        description="Host names, without ports, at which browsers and workers reach the Prefect server that Octavo "
        "starts, besides those of loopback; others are refused.",
    )
    port: int = Field(
        0, ge=0, le=65535, description="Port of the embedded server; 0: a free one, kept across restarts."
    )
    work_pool: str = Field("octavo", description="Work pool of the workers.")
    deployment: str = Field("extract-batch/octavo", description="Deployment that runs a batch.")
    lane_slots: bool = Field(
        True, description="Show each open slice as a taken slot of Prefect's concurrency limit `customer:ID`."
    )
    tag_limits: bool = Field(
        False, description="Also keep a Prefect tag limit per customer on task runs; this costs most of the speed."
    )
    keep_runs_days: float = Field(
        14.0, gt=0, description="How long ended flow runs, their task runs, logs and artifacts are kept."
    )
    keep_events_days: float = Field(
        1.0, gt=0, description="How long the embedded Prefect server keeps events; nothing in Octavo reads them."
    )


class WorkerSettings(_Group):
    """A worker."""

    count: int = Field(
        1, ge=0, description="Workers that `octavo up` starts, named NAME, NAME-2, ...; 0 if they all run elsewhere."
    )
    name: str = Field(
        "embedded", description="Name of the worker; a new process of the same name replaces the old one."
    )
    api_url: str | None = Field(None, description="Address of Octavo's API as the worker reaches it.")
    token: SecretStr | None = Field(
        None, description="Token with which workers call the API; random, in the data directory, if not set."
    )
    slots: int = Field(16, ge=1, description="Slots: slices that the worker holds at once, over all batches.")
    sync_slots: int = Field(
        1, ge=0, description="Sync extractions that each worker runs at once, besides its slices; 0 for none."
    )
    drawing_slots: int = Field(
        1, ge=0, description="Page images that each worker renders at once, besides its slices; 0 for none."
    )
    processes: int | None = Field(
        None,
        ge=1,
        description="Child processes of each worker; if not set, one per core, shared among `worker.count` workers.",
    )
    newcomer_processes: int = Field(
        1,
        ge=0,
        description="Further child processes of each worker, only for customers of whom it reads nothing just then, "
        "so that they need not wait for the documents of others.",
    )
    child_scope: Literal["customer", "document"] = Field(
        "customer",
        description="What a child process may read in its life: documents of one customer, or a single document, "
        "which takes more processor time.",
    )
    memory_bytes: int | None = Field(
        None,
        gt=0,
        description="Memory for the documents that one worker reads at once, by what their engines need; "
        "if not set, its share of three quarters of this machine's.",
    )
    lease_seconds: float = Field(
        90.0, gt=0, description="How long a lease lasts; renewed every 3 s or after a third of it."
    )
    keep_pages_seconds: float = Field(
        20.0,
        gt=0,
        description="How often finished pages of a long document are saved in storage, for the worker that continues "
        "if this one is lost; shorter documents save none.",
    )
    reuse_results: bool = Field(
        True,
        description="Use a stored result of the same bytes, engine version and options instead of reading again.",
    )
    silence_seconds: float = Field(10.0, gt=0, description="A worker that is silent for this long counts as dead.")
    test_engines: bool = Field(False, description="Offer the sleeping and the failing engine, for tests and benches.")

    @property
    def children(self) -> int:
        """How many documents one worker parses at the same moment: as set, or its share of the cores."""
        return self.processes or max(1, machine_cores() // max(1, self.count))

    @property
    def document_memory(self) -> int:
        """How many bytes the documents that one worker reads at once may need: as set, or its share."""
        return self.memory_bytes or machine_memory() * 3 // 4 // max(1, self.count)

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the workers that `octavo up` starts."""
        return tuple(self.name if number == 1 else f"{self.name}-{number}" for number in range(1, self.count + 1))


class LimitSettings(_Group):
    """Limits of documents and batches."""

    max_file_bytes: int = Field(150 * 1024 * 1024, gt=0, description="Largest file.")
    max_pages: int = Field(1000, gt=0, description="Most pages that a document may have.")
    retention_seconds: int = Field(72 * 3600, gt=0, description="How long inputs and results are kept.")
    keep_records_days: float = Field(
        90.0, ge=0, description="How long a batch is kept as a record, without bytes, after its results have expired."
    )
    orphan_hours: float = Field(
        24.0, ge=0, description="Age at which an object in storage that nothing refers to is deleted."
    )
    sync_calls: int = Field(100, gt=0, description="Sync extractions at once, waiting or in progress.")
    sync_calls_per_customer: int = Field(8, gt=0, description="The same, for one customer.")
    sync_seconds: float = Field(
        300.0, gt=0, description="Longest time for a sync extraction, including the wait for a worker."
    )
    drawings: int = Field(100, gt=0, description="Page images at once, waiting or being rendered.")
    drawings_per_customer: int = Field(16, gt=0, description="The same, for one customer.")
    drawing_seconds: float = Field(
        30.0, gt=0, description="Longest wait for a page image, and longest time to render it."
    )
    large_bodies: int = Field(
        8, gt=0, description="JSON bodies over 64 KiB that are received at once; a quarter of them for one customer."
    )
    large_body_bytes: int = Field(
        64 * 1024**2, gt=0, description="Most bytes of these bodies together; half of them for one customer."
    )
    large_body_wait_seconds: float = Field(
        5.0, ge=0, description="How long a large body waits for its place before it is refused."
    )
    submissions_per_minute: int = Field(
        60, gt=0, description="Submissions a minute, for each API key and each route that submits."
    )
    document_seconds: float = Field(600.0, gt=0, description="Wall-clock limit of one document.")
    document_cpu_seconds: float = Field(600.0, gt=0, description="CPU limit of one document.")
    document_memory_bytes: int = Field(3 * 1024**3, gt=0, description="Memory limit of one child process.")
    page_seconds: float = Field(60.0, gt=0, description="Longest time without a finished page of a document.")
    max_page_pixels: int = Field(50_000_000, gt=0, description="Most pixels of a page or image that is rendered.")
    max_page_content_bytes: int = Field(
        10_000_000,
        gt=0,
        description="Longest page content, unpacked, that is searched for drawings and tables.",
    )
    max_page_paths: int = Field(
        20_000, gt=0, description="Most drawing operators of a page that is searched for drawings and tables."
    )
    max_images: int = Field(2_000, gt=0, description="Most images of a result; any further ones are left out.")
    max_image_bytes: int = Field(
        128 * 1024**2, gt=0, description="Most bytes of a result's images; images beyond half of this are left out."
    )
    max_result_bytes: int = Field(64 * 1024**2, gt=0, description="Most bytes of a result without its images.")
    max_kept_bytes: int = Field(
        192 * 1024**2, gt=0, description="Most bytes of finished pages that are saved of a document in progress."
    )
    max_unpacked_bytes: int = Field(
        512 * 1024**2, gt=0, description="Most bytes that the parts of an office document may unpack to."
    )


class OutboundSettings(_Group):
    """Requests to addresses that customers name: documents by URL, webhooks."""

    url_inputs: bool = Field(True, description="Whether documents may be given by URL.")
    allow: list[str] = Field(
        default_factory=list,
        description="HOST:PORT of each private address that is allowed besides public addresses on 80 and 443.",
    )
    connect_seconds: float = Field(10.0, gt=0, description="Longest wait for name resolution, and for a connection.")
    read_seconds: float = Field(30.0, gt=0, description="Longest wait for the next bytes.")
    total_seconds: float = Field(120.0, gt=0, description="Longest time for one request, including redirects and body.")

    @field_validator("allow")
    @classmethod
    def _are_places(cls, entries: list[str]) -> list[str]:
        Allowed.read(entries)
        return entries


class WebhookSettings(_Group):
    """Customers' webhooks: signing, schedule, retention."""

    key: SecretStr | None = Field(
        None,
        description="Key from which all signing secrets are derived; another key gives other secrets. "
        "Random, in the data directory, if not set.",
    )
    per_customer: int = Field(10, ge=1, description="Webhooks that a customer may have.")
    post_seconds: float = Field(
        15.0, gt=0, description="Longest time for one POST, including name resolution and connection."
    )
    retry_seconds: tuple[Annotated[float, Field(ge=0)], ...] = Field(
        (0, 5, 300, 1800, 7200, 18_000, 36_000, 50_400, 72_000, 86_400),
        min_length=1,
        description="The schedule: how long after the previous attempt each attempt is made. "
        "The first is made at once, whatever its value.",
    )
    keep_days: float = Field(30.0, gt=0, description="How long ended deliveries are kept for replay.")
    deployment: str = Field("deliver-webhooks/deliver-webhooks", description="Deployment that sends deliveries.")


class SandboxSettings(_Group):
    """The walls around child processes, and what one of them may use of the machine."""

    require: Literal["all", "none"] = Field(
        "all",
        description="`all`: refuse to work if the kernel cannot confine children; `none`: work anyway.",
    )
    documents_per_child: int = Field(50, gt=0, description="Documents after which a child is replaced by a fresh one.")
    open_files: int = Field(256, ge=32, description="Most files that a child may have open at once.")
    processes: int = Field(32, gt=0, description="Most processes that a child may have at once, including itself.")
    file_bytes: int = Field(512 * 1024**2, gt=0, description="Largest file that a child may write.")
    scratch_bytes: int = Field(2 * 1024**3, gt=0, description="Most bytes that all files of a child may take on disk.")


class Settings(BaseSettings):
    """Everything that can be set."""

    model_config = SettingsConfigDict(
        env_prefix="OCTAVO_", env_nested_delimiter="__", extra="forbid", frozen=True, validate_default=True
    )

    data: Path = Field(Path(".octavo"), description="Data directory: ledger, storage, logs, secrets.")
    api: ApiSettings = ApiSettings()
    storage: StorageSettings = StorageSettings()
    prefect: PrefectSettings = PrefectSettings()
    worker: WorkerSettings = WorkerSettings()
    limits: LimitSettings = LimitSettings()
    outbound: OutboundSettings = OutboundSettings()
    webhooks: WebhookSettings = WebhookSettings()
    sandbox: SandboxSettings = SandboxSettings()

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Arguments first, then the environment, then `octavo.toml` in the data directory."""
        given = init_settings().get("data") or os.environ.get("OCTAVO_DATA") or ".octavo"
        file = Path(str(given)) / SETTINGS_FILE
        return init_settings, env_settings, TomlConfigSettingsSource(settings_cls, toml_file=file)


def read_settings(data: Path | None = None) -> Settings:
    """Read the settings, for this data directory if one is given. Raises InvalidSettings."""
    _refuse_unknown_groups()
    try:
        return Settings() if data is None else Settings(data=data)
    except ValidationError as error:
        raise InvalidSettings(f"A setting cannot be used. {'; '.join(map(_told, error.errors()))}") from error
    except SettingsError as error:
        raise InvalidSettings(
            f"A setting in the environment cannot be read: {error}. Lists are written as JSON: "
            """OCTAVO_API__ALLOWED_ORIGINS='["https://console.example"]'."""
        ) from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError, OSError) as error:
        raise InvalidSettings(f"{SETTINGS_FILE} in the data directory cannot be read: {error}.") from error


def _told(found: ErrorDetails) -> str:
    name = ".".join(str(part) for part in found["loc"])
    message = "there is no such setting" if found["type"] == "extra_forbidden" else found["msg"]
    return f"{name}: {message}"


def _refuse_unknown_groups() -> None:
    """Refuse a misspelt group, whose settings would otherwise silently have no effect."""
    for name in os.environ:
        group, joint, _ = name.upper().removeprefix("OCTAVO_").partition("__")
        if name.upper().startswith("OCTAVO_") and joint and group.lower() not in Settings.model_fields:
            known = ", ".join(f"OCTAVO_{field.upper()}__" for field in Settings.model_fields if field != "data")
            raise InvalidSettings(f"There is no setting {name}; settings begin with one of {known}.")
