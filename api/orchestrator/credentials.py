"""Resolves a prefect-aws credentials block to plain values; the core never sees Prefect.

`aws-credentials/NAME` and `minio-credentials/NAME` are known. Without a block the settings' own
keys are used.
"""

import asyncio
import logging
from typing import TYPE_CHECKING, TypeVar, cast

import httpx
from prefect.exceptions import PrefectHTTPStatusError
from tenacity import RetryCallState, Retrying, retry_if_exception_type, wait_fixed

from octavo.errors import InvalidSettings
from octavo.objects.s3 import S3Settings
from octavo.settings import StorageSettings

if TYPE_CHECKING:
    from prefect_aws import AwsCredentials, MinIOCredentials

logger = logging.getLogger(__name__)
B = TypeVar("B", "AwsCredentials", "MinIOCredentials")
PAUSE_SECONDS = 1.0


def storage_access(settings: StorageSettings) -> S3Settings | None:
    """Return how storage is reached; None when no storage is configured. Call it before there is an event loop.

    Raises InvalidSettings.
    """
    if settings.endpoint_url is None:
        return None
    access_key, secret_key, region = _keys(settings)
    return S3Settings(
        endpoint_url=settings.endpoint_url,
        public_url=settings.public_url or settings.endpoint_url,
        bucket=settings.bucket,
        access_key=access_key,
        secret_key=secret_key,
        region=region,
    )


def _keys(settings: StorageSettings) -> tuple[str, str, str]:
    if settings.credentials_block is not None:
        return _block_keys(settings.credentials_block, settings.region)
    if settings.access_key is None or settings.secret_key is None:
        raise InvalidSettings(
            "Storage has an address but no keys: set storage.access_key and storage.secret_key, or "
            "storage.credentials_block."
        )
    return settings.access_key.get_secret_value(), settings.secret_key.get_secret_value(), settings.region


def _block_keys(slug: str, region: str) -> tuple[str, str, str]:
    # A third of what this process would import at its start, for the few that name a block.
    from prefect_aws import AwsCredentials, MinIOCredentials

    kind, _, name = slug.partition("/")
    if kind == "aws-credentials":
        aws = _load(AwsCredentials, name)
        if aws.aws_session_token:
            raise InvalidSettings(f"The block {slug} holds a session token, which runs out; give a key that lasts.")
        access_key, secret, region = (
            aws.aws_access_key_id,
            aws.aws_secret_access_key,
            aws.region_name or region,
        )
    elif kind == "minio-credentials":
        minio = _load(MinIOCredentials, name)
        access_key, secret = minio.minio_root_user, minio.minio_root_password
    else:
        raise InvalidSettings(
            f"storage.credentials_block is {slug!r}; give aws-credentials/NAME or minio-credentials/NAME."
        )
    if not access_key or secret is None:
        raise InvalidSettings(f"The block {slug} holds no access key and secret.")
    return access_key, secret.get_secret_value(), region


def _load(kind: "type[B]", name: str) -> B:
    """Load a block as soon as Prefect answers; the embedded server may start later than this process."""

    def tell(state: RetryCallState) -> None:
        error = state.outcome.exception() if state.outcome is not None else None
        logger.warning("the block %s cannot be read yet: %s", name, error)

    retrying = Retrying(
        retry=retry_if_exception_type((httpx.HTTPError, PrefectHTTPStatusError)),
        wait=wait_fixed(PAUSE_SECONDS),
        before_sleep=tell,
    )
    try:
        return retrying(lambda: cast(B, asyncio.run(kind.aload(name))))
    except ValueError as error:
        raise InvalidSettings(f"storage.credentials_block: Prefect has no such block: {error}") from error
