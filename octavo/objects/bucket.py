"""Where storage is, and its bucket: botocore can create it and list unfinished uploads, which obstore cannot."""

import contextlib
import ipaddress
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Protocol
from urllib.parse import urlsplit

from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError
from botocore.session import Session

from octavo.errors import StorageUnavailable


@dataclass(frozen=True, slots=True)
class S3Settings:
    """Where storage is: `endpoint_url` for this process, `public_url` for clients (its host is signed)."""

    endpoint_url: str
    public_url: str
    bucket: str
    access_key: str
    secret_key: str = field(repr=False)
    region: str

    @property
    def endpoint_host(self) -> str:
        """Host of `endpoint_url`, without brackets."""
        return urlsplit(self.endpoint_url).hostname or ""

    @property
    def is_on_this_machine(self) -> bool:
        """Whether the endpoint is a loopback address, which no proxy could reach."""
        try:
            return ipaddress.ip_address(self.endpoint_host).is_loopback
        except ValueError:
            return self.endpoint_host == "localhost"


class _BucketClient(Protocol):
    def head_bucket(self, *, Bucket: str) -> object: ...

    def create_bucket(self, *, Bucket: str, **extra: object) -> object: ...

    def list_multipart_uploads(self, *, Bucket: str, **after: str) -> dict[str, Any]: ...

    def abort_multipart_upload(self, *, Bucket: str, Key: str, UploadId: str) -> object: ...

    def close(self) -> None: ...


def _client(settings: S3Settings) -> _BucketClient:
    client: _BucketClient = Session().create_client(
        "s3",
        endpoint_url=settings.endpoint_url,
        region_name=settings.region,
        aws_access_key_id=settings.access_key,
        aws_secret_access_key=settings.secret_key,
        config=Config(
            signature_version="s3v4",
            s3={"addressing_style": "path"},
            connect_timeout=2,
            read_timeout=4,
            retries={"total_max_attempts": 2, "mode": "standard"},
            # An empty dict means no proxies; None would use those of the environment.
            proxies={} if settings.is_on_this_machine else None,
        ),
    )
    return client


def make_missing_bucket(settings: S3Settings) -> None:
    """Create the bucket if it is missing. Raises StorageUnavailable."""
    try:
        with contextlib.closing(_client(settings)) as client:
            if not _has_bucket(client, settings.bucket):
                _create_bucket(client, settings)
    except (BotoCoreError, ClientError) as error:
        raise StorageUnavailable(f"The bucket cannot be created: {error}") from error


def _has_bucket(client: _BucketClient, bucket: str) -> bool:
    try:
        client.head_bucket(Bucket=bucket)
    except ClientError as error:
        if error.response["ResponseMetadata"]["HTTPStatusCode"] == 404:
            return False
        raise
    return True


def _create_bucket(client: _BucketClient, settings: S3Settings) -> None:
    # S3 refuses us-east-1 as a location, and refuses every other region without one.
    extra = (
        {} if settings.region == "us-east-1" else {"CreateBucketConfiguration": {"LocationConstraint": settings.region}}
    )
    try:
        client.create_bucket(Bucket=settings.bucket, **extra)
    except ClientError as error:
        # Another process was faster.
        if error.response["Error"]["Code"] not in {"BucketAlreadyOwnedByYou", "BucketAlreadyExists"}:
            raise


def abort_unfinished_uploads(settings: S3Settings, begun_before: datetime) -> int:
    """Abort multipart uploads that began before a moment; return how many. Raises StorageUnavailable."""
    aborted = 0
    after: dict[str, str] = {}
    try:
        with contextlib.closing(_client(settings)) as client:
            while True:
                page = client.list_multipart_uploads(Bucket=settings.bucket, **after)
                for upload in page.get("Uploads", ()):
                    if upload["Initiated"] < begun_before:
                        aborted += _abort(client, settings.bucket, upload)
                if not page.get("IsTruncated"):
                    return aborted
                after = {"KeyMarker": page["NextKeyMarker"], "UploadIdMarker": page["NextUploadIdMarker"]}
    except ClientError as error:
        # The embedded server answers this before the first one; other servers may not support it.
        if error.response["Error"]["Code"] in {"NoSuchUpload", "NotImplemented"}:
            return aborted
        raise StorageUnavailable(f"Unfinished uploads cannot be aborted: {error}") from error
    except BotoCoreError as error:
        raise StorageUnavailable(f"Unfinished uploads cannot be aborted: {error}") from error


def _abort(client: _BucketClient, bucket: str, upload: Mapping[str, str]) -> bool:
    try:
        client.abort_multipart_upload(Bucket=bucket, Key=upload["Key"], UploadId=upload["UploadId"])
    except ClientError as error:
        # It has just been finished, or another process was faster.
        if error.response["Error"]["Code"] != "NoSuchUpload":
            raise
        return False
    return True
