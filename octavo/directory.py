"""The data directory, which holds everything of one stack, and its lock.

ledger.duckdb   objects/ (embedded storage)   prefect/ (embedded Prefect)   logs/
secrets/ (0600)   scratch/ (documents in progress)   stack.json (kept ports)   octavo.toml (settings)   lock
"""

import errno
import fcntl
import json
import os
import pwd
import random
import secrets
import shutil
import socket
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Self

from octavo.errors import DataDirectoryInUse, InvalidSettings, ServiceUnreachable

KEPT_PORTS = range(20_000, 32_000)
"""Below the ports that Linux (32768) and macOS (49152) use for outgoing connections."""


@dataclass(frozen=True, slots=True)
class DataDirectory:
    """Paths, secrets and kept ports of one stack."""

    path: Path

    @property
    def ledger(self) -> Path:
        """The ledger's file."""
        return self.path / "ledger.duckdb"

    @property
    def objects(self) -> Path:
        """Folder of the embedded storage's bytes."""
        return self.path / "objects"

    @property
    def prefect(self) -> Path:
        """Home of the embedded Prefect."""
        return self.path / "prefect"

    @property
    def logs(self) -> Path:
        """One log per process."""
        return self.path / "logs"

    @property
    def storage_keys(self) -> Path:
        """Keys of the embedded storage."""
        return self.path / "secrets" / "storage_keys"

    @property
    def children(self) -> Path:
        """Record of the processes that this stack has started, so that the next one can end leftovers."""
        return self.path / "children.json"

    @property
    def scratch(self) -> Path:
        """Folder of the documents in progress; each embedded worker has one in it, emptied at every start."""
        return self.path / "scratch"

    def prepare(self) -> None:
        """Create missing folders, readable only by their owner. Raises InvalidSettings."""
        try:
            for folder in (self.path, self.objects, self.prefect, self.logs, self.path / "secrets"):
                folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        except OSError as error:
            raise InvalidSettings(
                f"{self.path} cannot be the data directory ({error.strerror}: {error.filename}). "
                "Choose another with --data DIR or OCTAVO_DATA."
            ) from error
        self._require_access()

    def _require_access(self) -> None:
        """Raise InvalidSettings where something in here belongs to another user, as after a start with sudo."""
        written = (self.path, self.ledger, self.objects, self.prefect, self.logs, self.children, self.path / "lock")
        wanted = {path: os.R_OK | os.W_OK for path in written if path.exists()}
        # Secrets may be mounted from elsewhere, to be read alone.
        wanted |= dict.fromkeys((self.path / "secrets").iterdir(), os.R_OK)
        for path, mode in wanted.items():
            if not os.access(path, mode, effective_ids=os.access in os.supports_effective_ids):
                owner = _user_name(path.stat().st_uid)
                raise InvalidSettings(
                    f"{path} belongs to {owner} and cannot be read and written by {_user_name(os.geteuid())}. Start as "
                    f"{owner}, give it to {_user_name(os.geteuid())} (chown -R), or choose another with --data DIR."
                )

    def clear_scratch(self) -> None:
        """Delete what workers of an earlier stack have left, including workers that this one does not start."""
        shutil.rmtree(self.scratch, ignore_errors=True)

    def secret(self, name: str, *, beginning: str = "") -> str:
        """Return the secret of that name; it is created at random (256 bits) the first time, with mode 0600.

        `beginning` is put before what is random, as the user's name in a login.
        """
        file = self.secret_file(name)
        try:
            descriptor = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        except FileExistsError:
            return file.read_text().strip()
        with os.fdopen(descriptor, "w") as stream:
            token = beginning + secrets.token_urlsafe(32)
            stream.write(token)
            return token

    def secret_file(self, name: str) -> Path:
        """Return the file of the secret of that name."""
        return self.path / "secrets" / name

    def kept_secret(self, name: str) -> str:
        """Return a secret that a stack has created here. Raises ServiceUnreachable."""
        try:
            return self.secret_file(name).read_text().strip()
        except FileNotFoundError:
            raise ServiceUnreachable(
                f"No stack was ever started with {self.path}. Start one: octavo up --data {self.path}"
            ) from None

    def notes(self) -> dict[str, str]:
        """Return what the last `octavo up` recorded: `api_url` and the kept ports."""
        try:
            loaded = json.loads((self.path / "stack.json").read_text())
            return {str(name): str(value) for name, value in loaded.items()}
        except (FileNotFoundError, ValueError, AttributeError):
            return {}

    def write_notes(self, **notes: str) -> None:
        """Replace the recorded notes with these, atomically."""
        merged = self.notes() | notes
        draft = self.path / "stack.json.new"
        draft.write_text(json.dumps(merged, indent=2, sort_keys=True) + "\n")
        draft.replace(self.path / "stack.json")

    def kept_port(self, name: str, *, wanted: int, host: str) -> int:
        """Return the wanted port, else the one kept under this name, else a free one, and keep it."""
        kept = self.notes().get(name, "")
        port = wanted or (int(kept) if kept.isdecimal() else 0) or free_port(host)
        self.write_notes(**{name: str(port)})
        return port


def _user_name(uid: int) -> str:
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return f"user {uid}"


def free_port(host: str = "127.0.0.1") -> int:
    """Return a TCP port that is free at `host` and that no system assigns by itself.

    One of those assigned to outgoing connections might be in use after a restart.
    """
    for port in random.sample(KEPT_PORTS, 200):
        with socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET) as probe:
            try:
                probe.bind((host, port))
            except OSError as error:
                if error.errno != errno.EADDRINUSE:
                    raise InvalidSettings(f"{host} cannot be bound here ({error.strerror}).") from error
            else:
                return port
    raise InvalidSettings(f"No free port at {host} among {KEPT_PORTS}; set the ports by hand.")


class DirectoryLock:
    """Ensures one stack per data directory: an advisory lock that ends with its holder, however it dies."""

    def __init__(self, directory: DataDirectory) -> None:
        self._directory = directory
        self._file = (directory.path / "lock").open("a+")

    def __enter__(self) -> Self:
        """Take the lock. Raises DataDirectoryInUse."""
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            self._file.close()
            where = self._directory.notes().get("api_url", "an address it has not announced yet")
            raise DataDirectoryInUse(
                f"Another `octavo up` is running on {self._directory.path} ({where}). "
                "Use that one, stop it first, or give this one its own --data directory."
            ) from None
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Release the lock."""
        self._file.close()
