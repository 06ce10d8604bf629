"""All settings of Octavo: one class, read once, in `wiring.py` and at the start of a process.

Each setting is an environment variable (`OCTAVO_API__PORT`, group and name joined by two
underscores) or a line of `octavo.toml` in the data directory (`[api]`, `port = 8000`); the
environment wins. Units are in the names. The reference page is made from these docstrings.
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


def machine_memory() -> int:
    """Return how many bytes of memory this process may use: the machine's, or its container's where that is less."""
    physical = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    try:
        limit = CGROUP_LIMIT.read_text().strip()
    except OSError:
        return physical
    return min(physical, int(limit)) if limit.isdecimal() else physical


class _Group(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class ApiSettings(_Group):
    """The HTTP service."""

    host: str = Field("127.0.0.1", description="Address the API binds; 0.0.0.0 for all.")
    port: int = Field(8000, ge=0, le=65535, description="Port of the API.")
    public_url: str | None = Field(
        None, description="Address clients use for the API; http://HOST:PORT when not given."
    )
    allowed_origins: list[str] = Field(
        default_factory=list,
        description="Origins whose pages may call the API and storage (CORS); * for any.",
    )
    source_url: str | None = Field(
        None,
        description="Where the source of this service is published, for changed versions; "
        "when not given, `/source` is an archive of the running tree.",
    )
    max_body_bytes: int = Field(4 * 1024 * 1024, gt=0, description="Largest JSON body the API takes.")


class StorageSettings(_Group):
    """Object storage; the embedded server unless `endpoint_url` names another S3."""

    host: str | None = Field(None, description="Address the embedded server binds; that of the API when not given.")
    port: int = Field(0, ge=0, le=65535, description="Port of the embedded server; 0: a free one, kept over restarts.")
    endpoint_url: str | None = Field(None, description="Address the service itself uses for storage.")
    public_url: str | None = Field(
        None, description="Address clients use for storage; it is signed into upload and download URLs."
    )
    bucket: str = Field("octavo", min_length=3, max_length=63, description="Bucket; made when it is missing.")
    region: str = Field("us-east-1", description="Region that is signed.")
    access_key: SecretStr | None = Field(None, description="Access key; random for the embedded server.")
    secret_key: SecretStr | None = Field(None, description="Secret key; random for the embedded server.")
    credentials_block: str | None = Field(
        None,
        description="A prefect-aws block, `aws-credentials/NAME` or `minio-credentials/NAME`, in place of the keys.",
    )
    presign_put_seconds: int = Field(3600, gt=0, description="Life of an upload URL.")
    presign_get_seconds: int = Field(300, gt=0, description="Life of a result URL, at most.")


class PrefectSettings(_Group):
    """The orchestrator; an embedded server unless `api_url` names another."""

    api_url: str | None = Field(None, description="Address of a Prefect API, ending in /api.")
    ui_url: str | None = Field(None, description="Address of the Prefect UI for people.")
    port: int = Field(0, ge=0, le=65535, description="Port of the embedded server; 0: a free one, kept over restarts.")
    work_pool: str = Field("octavo", description="Work pool of the warm workers.")
    deployment: str = Field("extract-batch/octavo", description="Deployment that runs a batch.")
    lane_slots: bool = Field(
        True, description="Show each open lane as a taken slot of Prefect's concurrency limit `customer:ID`."
    )
    tag_limits: bool = Field(
        False, description="Keep a Prefect tag limit per customer on task runs besides; it costs most of the speed."
    )
    keep_runs_days: float = Field(
        14.0, gt=0, description="How long ended flow runs, their task runs, logs and artifacts are kept."
    )
    keep_events_days: float = Field(
        1.0, gt=0, description="How long the embedded Prefect server keeps events; nothing here reads them."
    )


class WorkerSettings(_Group):
    """A warm worker."""

    count: int = Field(
        1, ge=0, description="Workers that `octavo up` starts, named NAME, NAME-2, ...; 0: none, they run elsewhere."
    )
    name: str = Field("embedded", description="Name of the worker; a new life of the same name replaces the old one.")
    api_url: str | None = Field(None, description="Address of Octavo's API as the worker reaches it.")
    token: SecretStr | None = Field(
        None, description="Token workers show to the API; made at random in the data directory when not given."
    )
    slots: int = Field(16, ge=1, description="Slices in work at once, over all batches.")
    sync_slots: int = Field(
        1, ge=0, description="Documents of the sync lane that each worker reads at once, beside its slices; 0: none."
    )
    drawing_slots: int = Field(
        1, ge=0, description="Pages that each worker draws for viewers at once, beside its slices; 0: none."
    )
    processes: int | None = Field(
        None,
        ge=1,
        description="Extraction children of each worker; when not given, one per core over all of `worker.count`.",
    )
    memory_bytes: int | None = Field(
        None,
        gt=0,
        description="Memory for the documents one worker reads at once, by what their engines need; "
        "when not given, its share of three quarters of this machine's.",
    )
    lease_seconds: float = Field(90.0, gt=0, description="Life of a lease; renewed every 3 s or at a third of it.")
    keep_pages_seconds: float = Field(
        20.0,
        gt=0,
        description="How often finished pages of a document in work are kept in storage, for the worker that goes on "
        "if this one is lost; shorter documents keep none.",
    )
    reuse_results: bool = Field(
        True,
        description="Take a stored result of the same bytes, engine version and options in place of reading again.",
    )
    silence_seconds: float = Field(10.0, gt=0, description="Without a word for this long a worker counts as dead.")
    test_engines: bool = Field(False, description="Offer the sleeping and the failing engine, for tests and benches.")

    @property
    def children(self) -> int:
        """How many documents one worker parses at the same moment: what is set, or its share of the cores."""
        return self.processes or max(1, (os.cpu_count() or 1) // max(1, self.count))

    @property
    def document_memory(self) -> int:
        """How many bytes the documents that one worker reads at once may need: what is set, or its share."""
        return self.memory_bytes or machine_memory() * 3 // 4 // max(1, self.count)

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the workers that `octavo up` starts."""
        return tuple(self.name if number == 1 else f"{self.name}-{number}" for number in range(1, self.count + 1))


class LimitSettings(_Group):
    """Limits of documents and batches."""

    max_file_bytes: int = Field(150 * 1024 * 1024, gt=0, description="Largest file.")
    max_pages: int = Field(1000, gt=0, description="Most pages of a document.")
    retention_seconds: int = Field(72 * 3600, gt=0, description="How long inputs and results are kept.")
    keep_records_days: float = Field(
        90.0, ge=0, description="How long a batch is kept as a record, without bytes, after its results have expired."
    )
    orphan_hours: float = Field(
        24.0, ge=0, description="How old an object in storage must be that nobody names, before it is swept."
    )
    sync_calls: int = Field(100, gt=0, description="Documents of the sync lane at once, waiting or in work.")
    sync_calls_per_customer: int = Field(8, gt=0, description="The same, of one customer.")
    sync_seconds: float = Field(
        300.0, gt=0, description="Longest time for a document of the sync lane, waiting included."
    )
    drawings: int = Field(100, gt=0, description="Pages to be drawn for viewers at once, waiting or in work.")
    drawings_per_customer: int = Field(16, gt=0, description="The same, of one customer.")
    drawing_seconds: float = Field(
        30.0, gt=0, description="Longest time for whoever waits for a page to be drawn, and for the drawing itself."
    )
    submissions_per_minute: int = Field(
        60, gt=0, description="Submissions a minute, for each API key and each of the routes that submit."
    )
    document_seconds: float = Field(600.0, gt=0, description="Wall-clock limit of one document.")
    document_cpu_seconds: float = Field(600.0, gt=0, description="CPU limit of one document.")
    document_memory_bytes: int = Field(3 * 1024**3, gt=0, description="Memory limit of one extraction child.")
    page_seconds: float = Field(60.0, gt=0, description="Longest time in which no page of a document is finished.")
    max_page_pixels: int = Field(50_000_000, gt=0, description="Most pixels of a page or image that is rendered.")
    max_page_content_bytes: int = Field(
        10_000_000,
        gt=0,
        description="Longest content of a page, unpacked, in which drawings and tables are looked for.",
    )
    max_page_paths: int = Field(
        20_000, gt=0, description="Most drawing operators of a page in which drawings and tables are looked for."
    )
    max_images: int = Field(2_000, gt=0, description="Most images of a result; further ones are left out.")
    max_image_bytes: int = Field(
        128 * 1024**2, gt=0, description="Most bytes of a result's images; those past half of it are left out."
    )
    max_result_bytes: int = Field(64 * 1024**2, gt=0, description="Most bytes of a result without its images.")
    max_kept_bytes: int = Field(
        192 * 1024**2, gt=0, description="Most bytes of finished pages that are kept of a document that is in work."
    )
    max_unpacked_bytes: int = Field(
        512 * 1024**2, gt=0, description="Most bytes that the parts of an office document may unpack to."
    )


class OutboundSettings(_Group):
    """Requests to addresses that customers name: documents by URL, webhooks."""

    url_inputs: bool = Field(True, description="Whether documents may be given by URL.")
    allow: list[str] = Field(
        default_factory=list,
        description="HOST:PORT of each private place that may be reached besides public addresses on 80 and 443.",
    )
    connect_seconds: float = Field(10.0, gt=0, description="Longest wait for a name, and for a connection.")
    read_seconds: float = Field(30.0, gt=0, description="Longest wait for the next bytes.")
    total_seconds: float = Field(120.0, gt=0, description="Longest time for one request, redirects and body included.")

    @field_validator("allow")
    @classmethod
    def _are_places(cls, entries: list[str]) -> list[str]:
        Allowed.read(entries)
        return entries


class WebhookSettings(_Group):
    """What customers' webhooks are told, and how often it is tried."""

    key: SecretStr | None = Field(
        None,
        description="Key that all signing secrets are made of, another key makes others; "
        "made at random in the data directory when not given.",
    )
    per_customer: int = Field(10, ge=1, description="Webhooks a customer may have.")
    post_seconds: float = Field(15.0, gt=0, description="Longest time for one POST, name and connection included.")
    retry_seconds: tuple[Annotated[float, Field(ge=0)], ...] = Field(
        (0, 5, 300, 1800, 7200, 18_000, 36_000, 50_400, 72_000, 86_400),
        min_length=1,
        description="The schedule: how long after the attempt before it each attempt is made. "
        "The first is made at once, whatever stands there.",
    )
    keep_days: float = Field(30.0, gt=0, description="How long deliveries that are over are kept, to be replayed.")
    deployment: str = Field("deliver-webhooks/deliver-webhooks", description="Deployment that sends deliveries.")


class SandboxSettings(_Group):
    """The walls around extraction children, and what one of them may use of the machine."""

    require: Literal["all", "none"] = Field(
        "all",
        description="`all`: refuse to work where the kernel offers no walls; `none`: work without them.",
    )
    documents_per_child: int = Field(50, gt=0, description="Documents after which a child is replaced by a fresh one.")
    open_files: int = Field(256, ge=32, description="Most files that a child has open at once.")
    processes: int = Field(32, gt=0, description="Most processes that a child has at once, itself included.")
    file_bytes: int = Field(512 * 1024**2, gt=0, description="Largest file that a child may write.")
    scratch_bytes: int = Field(2 * 1024**3, gt=0, description="Most bytes of all files that a child has on the disk.")


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
            f"A setting of the environment cannot be read: {error}. Lists are written as JSON: "
            """OCTAVO_API__ALLOWED_ORIGINS='["https://console.example"]'."""
        ) from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError, OSError) as error:
        raise InvalidSettings(f"{SETTINGS_FILE} in the data directory cannot be read: {error}.") from error


def _told(found: ErrorDetails) -> str:
    name = ".".join(str(part) for part in found["loc"])
    message = "there is no such setting" if found["type"] == "extra_forbidden" else found["msg"]
    return f"{name}: {message}"


def _refuse_unknown_groups() -> None:
    """A group that is misspelt would not be looked at, and its setting would silently have no effect."""
    for name in os.environ:
        group, joint, _ = name.upper().removeprefix("OCTAVO_").partition("__")
        if name.upper().startswith("OCTAVO_") and joint and group.lower() not in Settings.model_fields:
            known = ", ".join(f"OCTAVO_{field.upper()}__" for field in Settings.model_fields if field != "data")
            raise InvalidSettings(f"There is no setting {name}; settings begin with one of {known}.")
