"""The object store of a service without storage: uploads are refused, and anything else that needs storage fails."""

from collections.abc import Iterator, Sequence
from datetime import datetime
from pathlib import Path
from typing import NoReturn

from octavo.errors import StorageUnavailable, UploadsNotConfigured
from octavo.objects.contract import Downloaded, ObjectInfo, PresignedUrl

_MESSAGE = "This service has no storage configured; its operator must set storage.endpoint_url."


def _refuse() -> NoReturn:
    raise StorageUnavailable(_MESSAGE)


class UnconfiguredObjects:
    """Behaves like storage that is always down, except for uploads, which have an error of their own."""

    def presign_put(self, key: str, *, size_bytes: int, expires_seconds: int) -> PresignedUrl:
        """Raise UploadsNotConfigured: trying again does not help."""
        raise UploadsNotConfigured(_MESSAGE)

    def presign_get(
        self, key: str, *, expires_seconds: int, content_type: str, filename: str | None = None
    ) -> PresignedUrl:
        """Raise StorageUnavailable."""
        _refuse()

    def sizes(self, keys: Sequence[str], *, time_limit_seconds: float) -> dict[str, int]:
        """Raise StorageUnavailable."""
        _refuse()

    def read(self, key: str, *, max_bytes: int) -> bytes:
        """Raise StorageUnavailable."""
        _refuse()

    def download(self, key: str, path: Path, *, max_bytes: int) -> Downloaded:
        """Raise StorageUnavailable."""
        _refuse()

    def write(self, key: str, data: bytes, content_type: str) -> None:
        """Raise StorageUnavailable."""
        _refuse()

    def delete(self, keys: Sequence[str]) -> None:
        """Raise StorageUnavailable."""
        _refuse()

    def delete_below(self, prefixes: Sequence[str]) -> dict[str, list[str]]:
        """Raise StorageUnavailable."""
        _refuse()

    def drop_unfinished_uploads(self, begun_before: datetime) -> int:
        """Raise StorageUnavailable."""
        _refuse()

    def list(self, prefix: str) -> Iterator[ObjectInfo]:
        """Raise StorageUnavailable."""
        _refuse()

    def check(self) -> None:
        """Raise StorageUnavailable."""
        _refuse()

    def ensure_bucket(self) -> None:
        """Raise StorageUnavailable."""
        _refuse()
