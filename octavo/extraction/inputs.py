"""The bytes of items on local disk while they are worked on, and whether that disk has room."""

import secrets
from pathlib import Path
from types import TracebackType
from typing import Self

from octavo.batches import ClaimedItem
from octavo.disk_room import is_disk_full
from octavo.errors import DocumentError, ExtractionFailed, StorageUnavailable, UploadMissing
from octavo.objects.contract import Downloaded, ObjectMissing, ObjectStore, ObjectTooLarge


class Input:
    """An item's bytes in a local file, or why there are none; a context manager that takes the file away."""

    def __init__(self, path: Path, *, sha256: str | None = None, error: DocumentError | None = None) -> None:
        self.path = path
        self.sha256 = sha256
        self.error = error
        """What is wrong with the bytes themselves."""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Take the file away."""
        self.path.unlink(missing_ok=True)

    def require_sha256(self) -> str:
        """Return the digest of the bytes. Raises what is wrong with them."""
        if self.sha256 is None:
            raise self.error or UploadMissing("The file's bytes are not there.")
        return self.sha256


class Inputs:
    """Fetches the bytes of items into one folder. Thread-safe."""

    def __init__(self, objects: ObjectStore, folder: Path) -> None:
        self._objects = objects
        self._folder = folder

    def fetch(self, item: ClaimedItem) -> Input:
        """Bring an item's bytes here; what is wrong with them is told by the input. Raises StorageUnavailable."""
        path = self._folder / f"octavo-item-{secrets.token_hex(8)}"
        try:
            return Input(path, sha256=self._download(item, path).sha256)
        except (DocumentError, OSError) as error:
            path.unlink(missing_ok=True)
            self.refuse_full_disk(error)
            if not isinstance(error, DocumentError):
                raise
            return Input(path, error=error)

    def _download(self, item: ClaimedItem, path: Path) -> Downloaded:
        try:
            found = self._objects.download(item.object_key, path, max_bytes=item.size_bytes)
        except ObjectMissing:
            raise UploadMissing("The file's bytes are no longer in storage; upload it again.") from None
        except ObjectTooLarge as error:
            raise ExtractionFailed(
                f"The stored file is larger than the {item.size_bytes} bytes that were declared; upload it again."
            ) from error
        if found.size != item.size_bytes:
            raise ExtractionFailed(
                f"The stored file has {found.size} bytes, {item.size_bytes} were declared; upload it again."
            )
        return found

    def refuse_full_disk(self, error: Exception) -> None:
        """Raise StorageUnavailable if the disk is full: then everything fails, and the document is not to blame."""
        if self.is_disk_full():
            raise StorageUnavailable("The disk for documents in progress is full.") from error

    def is_disk_full(self) -> bool:
        """Whether the disk for documents in progress has no room left."""
        return is_disk_full(self._folder)
