"""Objects in any S3: our own code signs URLs, botocore creates the bucket, obstore moves bytes and looks up objects.

obstore needs a tenth of botocore's CPU for a HEAD, but cannot bind headers in a presigned URL or create
a bucket. Objects are read whole: the embedded server answers a Range with 200.
"""

import asyncio
import contextlib
import hashlib
import os
from collections import defaultdict
from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import obstore
from obstore.exceptions import BaseError
from obstore.store import S3Store

from octavo.errors import StorageUnavailable
from octavo.objects.bucket import S3Settings as S3Settings
from octavo.objects.bucket import abort_unfinished_uploads, make_missing_bucket
from octavo.objects.contract import (
    Downloaded,
    ObjectInfo,
    ObjectMissing,
    ObjectTooLarge,
    PresignedUrl,
    checked_prefix,
    checked_size,
)
from octavo.objects.presigning import Presigner
from octavo.objects.response_headers import response_parameters

if TYPE_CHECKING:
    from obstore import GetResult
    from obstore.store import ClientConfig, RetryConfig, S3Credential

_HEADS_IN_FLIGHT = 64
_LISTS_IN_FLIGHT = 32
_MOST_HEADS = 500
"""Above this many keys a LIST of their folders is cheaper than a HEAD each (measured)."""
_LIST_FOLDER_FROM = 50
"""A folder with fewer of the wanted keys than this is not listed: it may hold a million others."""
_LIST_CHUNK = 1000
_STREAM_CHUNK_BYTES = 1024 * 1024
_MULTIPART_FROM_BYTES = 64 * 1024 * 1024
_CHECK_PREFIX = "in/.check/"
"""Nothing is ever kept here; listing it checks bucket and keys at the least cost."""

# Two attempts of four seconds: a silent server is given up after about eight.
_RETRIES: "RetryConfig" = {
    "max_retries": 3,
    "retry_timeout": timedelta(seconds=6),
    "backoff": {
        "init_backoff": timedelta(milliseconds=100),
        "max_backoff": timedelta(seconds=1),
        "base": 2,
    },
}
_QUICK: "ClientConfig" = {
    "allow_http": True,
    "connect_timeout": timedelta(seconds=2),
    "timeout": timedelta(seconds=4),
}
# A transfer may take any time as long as bytes keep moving.
_PATIENT: "ClientConfig" = {
    "allow_http": True,
    "connect_timeout": timedelta(seconds=2),
    "read_timeout": timedelta(seconds=4),
    "timeout": timedelta(minutes=30),
}


class S3Objects:
    """`ObjectStore` on an S3 bucket. Call `ensure_bucket` first if the bucket may be missing."""

    def __init__(self, settings: S3Settings) -> None:
        self._settings = settings
        self._presigner = Presigner(
            public_url=settings.public_url,
            bucket=settings.bucket,
            region=settings.region,
            access_key=settings.access_key,
            secret_key=settings.secret_key,
        )
        self._quick = _store(settings, _QUICK)
        self._patient = _store(settings, _PATIENT)

    def presign_put(self, key: str, *, size_bytes: int, expires_seconds: int) -> PresignedUrl:
        """See `ObjectStore.presign_put`."""
        bound = {"Content-Length": str(checked_size(size_bytes))}
        return self._presigner.url("PUT", key, expires_seconds=expires_seconds, headers=bound)

    def presign_get(
        self, key: str, *, expires_seconds: int, content_type: str, filename: str | None = None
    ) -> PresignedUrl:
        """See `ObjectStore.presign_get`."""
        query = response_parameters(content_type, filename)
        return self._presigner.url("GET", key, expires_seconds=expires_seconds, query=query)

    def sizes(self, keys: Sequence[str], *, time_limit_seconds: float) -> dict[str, int]:
        """See `ObjectStore.sizes`; a HEAD each for up to 500 keys, above that a LIST of full folders."""
        with _translated():
            return asyncio.run(self._sizes(set(keys), time_limit_seconds))

    async def _sizes(self, keys: set[str], time_limit_seconds: float) -> dict[str, int]:
        found: dict[str, int] = {}
        folders, single = _plan(keys)
        async with asyncio.timeout(time_limit_seconds):
            for folder, wanted in folders.items():
                await self._list_sizes(folder, wanted, found)
            await self._head_sizes(single, found)
        return found

    async def _head_sizes(self, keys: Sequence[str], found: dict[str, int]) -> None:
        waiting = iter(keys)

        async def take() -> None:
            for key in waiting:
                with contextlib.suppress(FileNotFoundError):
                    found[key] = (await obstore.head_async(self._quick, key))["size"]

        async with asyncio.TaskGroup() as group:
            for _ in range(min(_HEADS_IN_FLIGHT, len(keys))):
                group.create_task(take())

    async def _list_sizes(self, folder: str, wanted: set[str], found: dict[str, int]) -> None:
        missing = set(wanted)
        # Every wanted key is greater than the least one without its last character.
        listing = obstore.list(self._patient, prefix=folder, offset=min(wanted)[:-1], chunk_size=_LIST_CHUNK)
        async for chunk in listing:
            for meta in chunk:
                if meta["path"] in missing:
                    found[meta["path"]] = meta["size"]
                    missing.discard(meta["path"])
            if not missing:
                return

    def read(self, key: str, *, max_bytes: int) -> bytes:
        """See `ObjectStore.read`."""
        with _translated(key):
            answer = obstore.get(self._patient, key)
            _refuse_larger(key, answer, max_bytes)
            return answer.bytes().to_bytes()

    def download(self, key: str, path: Path, *, max_bytes: int) -> Downloaded:
        """See `ObjectStore.download`."""
        with _translated(key):
            answer = obstore.get(self._patient, key)
            _refuse_larger(key, answer, max_bytes)
        # Not inside `_translated`: a failing local disk does not mean that storage is down.
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        try:
            with os.fdopen(descriptor, "wb") as file:
                digest = hashlib.sha256()
                size = 0
                for chunk in _chunks(key, answer):
                    digest.update(chunk)
                    size += file.write(chunk)
            if size != answer.meta["size"]:
                raise StorageUnavailable(f"Storage sent {size} of the object's {answer.meta['size']} bytes.")
        except BaseException:
            path.unlink(missing_ok=True)
            raise
        return Downloaded(size=size, sha256=digest.hexdigest())

    def write(self, key: str, data: bytes, content_type: str) -> None:
        """See `ObjectStore.write`."""
        with _translated():
            obstore.put(
                self._patient,
                key,
                data,
                attributes={"Content-Type": content_type},
                use_multipart=len(data) > _MULTIPART_FROM_BYTES,
            )

    def delete(self, keys: Sequence[str]) -> None:
        """See `ObjectStore.delete`; a thousand per request."""
        if keys:
            with _translated():
                obstore.delete(self._patient, list(keys))

    def delete_below(self, prefixes: Sequence[str]) -> dict[str, list[str]]:
        """See `ObjectStore.delete_below`; a LIST each, many at a time."""
        with _translated():
            found = asyncio.run(self._below(sorted(set(map(checked_prefix, prefixes)))))
            gone = [key for keys in found.values() for key in keys]
            if gone:
                obstore.delete(self._patient, gone)
        return {prefix: keys for prefix, keys in found.items() if keys}

    async def _below(self, prefixes: Sequence[str]) -> dict[str, list[str]]:
        found: dict[str, list[str]] = defaultdict(list)
        waiting = iter(prefixes)

        async def take() -> None:
            for prefix in waiting:
                async for chunk in obstore.list(self._patient, prefix=prefix, chunk_size=_LIST_CHUNK):
                    found[prefix] += [meta["path"] for meta in chunk]

        async with asyncio.TaskGroup() as group:
            for _ in range(min(_LISTS_IN_FLIGHT, len(prefixes))):
                group.create_task(take())
        return found

    def drop_unfinished_uploads(self, begun_before: datetime) -> int:
        """See `ObjectStore.drop_unfinished_uploads`."""
        return abort_unfinished_uploads(self._settings, begun_before)

    def list(self, prefix: str) -> Iterator[ObjectInfo]:
        """See `ObjectStore.list`."""
        return self._listing(checked_prefix(prefix))

    def _listing(self, prefix: str) -> Iterator[ObjectInfo]:
        chunks = iter(obstore.list(self._patient, prefix=prefix, chunk_size=_LIST_CHUNK))
        while True:
            with _translated():
                chunk = next(chunks, None)
            if chunk is None:
                return
            for meta in chunk:
                yield ObjectInfo(key=meta["path"], size=meta["size"], last_modified=meta["last_modified"])

    def check(self) -> None:
        """See `ObjectStore.check`."""
        with _translated():
            next(iter(obstore.list(self._quick, prefix=_CHECK_PREFIX, chunk_size=1)), None)

    def ensure_bucket(self) -> None:
        """See `ObjectStore.ensure_bucket`."""
        make_missing_bucket(self._settings)


def _store(settings: S3Settings, client: "ClientConfig") -> S3Store:
    # Through a provider, because obstore would add a session token from the environment to fixed keys.
    credential: S3Credential = {
        "access_key_id": settings.access_key,
        "secret_access_key": settings.secret_key,
        "token": None,
        "expires_at": None,
    }
    options = client.copy()
    if settings.is_on_this_machine:
        # The only way to say "no proxy": one that is never used, instead of the environment's.
        options["proxy_url"] = settings.endpoint_url
        options["proxy_excludes"] = settings.endpoint_host
    return S3Store(
        settings.bucket,
        endpoint=settings.endpoint_url,
        region=settings.region,
        virtual_hosted_style_request=False,
        skip_signature=False,
        credential_provider=lambda: credential,
        client_options=options,
        retry_config=_RETRIES,
    )


def _plan(keys: set[str]) -> tuple[dict[str, set[str]], list[str]]:
    """Divide keys into folders worth a LIST and single ones worth a HEAD."""
    if len(keys) <= _MOST_HEADS:
        return {}, sorted(keys)
    folders: dict[str, set[str]] = defaultdict(set)
    for key in keys:
        folders[key.rpartition("/")[0] + "/"].add(key)
    full = {folder: wanted for folder, wanted in folders.items() if len(wanted) >= _LIST_FOLDER_FROM}
    return full, sorted(keys - set().union(*full.values()))


def _refuse_larger(key: str, answer: "GetResult", max_bytes: int) -> None:
    size = answer.meta["size"]
    if size > max_bytes:
        raise ObjectTooLarge(
            f"The object has {size} bytes; at most {max_bytes} are accepted.",
            key=key,
            size_bytes=size,
            limit_bytes=max_bytes,
        )


def _chunks(key: str, answer: "GetResult") -> Iterator[bytes]:
    stream = iter(answer.stream(min_chunk_size=_STREAM_CHUNK_BYTES))
    while True:
        with _translated(key):
            chunk = next(stream, None)
        if chunk is None:
            return
        yield chunk


@contextlib.contextmanager
def _translated(key: str | None = None) -> Iterator[None]:
    """Turn what obstore raises into the contract's errors; `key` names an object that may be missing."""
    try:
        yield
    except FileNotFoundError as error:
        if key is None or "NoSuchBucket" in str(error):
            raise StorageUnavailable(f"The bucket is missing: {_first_line(error)}") from error
        raise ObjectMissing("There is no such object.", key=key) from error
    except TimeoutError as error:
        raise StorageUnavailable("Storage did not answer within the time limit.") from error
    except (BaseError, PermissionError, OSError) as error:
        raise StorageUnavailable(f"Storage gave an unexpected answer: {_first_line(error)}") from error
    except ExceptionGroup as group:
        first = group.exceptions[0]
        raise StorageUnavailable(f"Storage gave an unexpected answer: {_first_line(first)}") from group


def _first_line(error: BaseException) -> str:
    return str(error).partition("\n")[0]
