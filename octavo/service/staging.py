"""Staging: a customer announces files and gets addresses to upload their bytes to."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from octavo.batches import Customer, FileStatus, StagedFile
from octavo.errors import FileTooLarge, UnknownFiles
from octavo.identifiers import FileId, new_file_id
from octavo.ledger.contract import FileLedger
from octavo.objects import keys
from octavo.objects.contract import ObjectStore, PresignedUrl
from octavo.service.admission import mark_uploaded
from octavo.timestamps import now

LOOK_SECONDS = 10.0
"""How long storage may take to say whether one file is there."""


@dataclass(frozen=True, slots=True)
class NewFile:
    """A file as it is announced."""

    size_bytes: int
    filename: str | None = None
    content_type: str | None = None


@dataclass(frozen=True, slots=True)
class Upload:
    """A staged file and where its bytes go: one PUT of exactly as many bytes as were announced."""

    file: StagedFile
    url: PresignedUrl


@dataclass(frozen=True, slots=True)
class Staging:
    """Takes files in."""

    files: FileLedger
    objects: ObjectStore
    max_file_bytes: int
    retention_seconds: int
    """How long files are kept whose customer has no period of its own."""
    upload_seconds: int
    """How long an upload's address is good for."""

    def stage(self, customer: Customer, new: NewFile) -> Upload:
        """Stage one file. Raises FileTooLarge, UploadsNotConfigured."""
        (upload,) = self._kept([self._staged(customer, new, now())])
        return upload

    def stage_all(self, customer: Customer, new: Sequence[NewFile]) -> list[Upload]:
        """Stage many files, all or none. Raises FileTooLarge (`index`), UploadsNotConfigured."""
        moment = now()
        return self._kept([self._numbered(customer, index, one, moment) for index, one in enumerate(new)])

    def find(self, customer: Customer, file_id: FileId) -> StagedFile:
        """Return a file as it is now; a pending one is looked for in storage.

        Raises UnknownFiles, StorageUnavailable.
        """
        file = self.files.find(customer.customer_id, [file_id]).get(file_id)
        if file is None:
            raise UnknownFiles("There is no such file; stage it with POST /v1/files.", file_ids=[file_id])
        if file.status is FileStatus.PENDING and mark_uploaded(self.files, self.objects, [file], LOOK_SECONDS):
            file = self.files.find(customer.customer_id, [file_id])[file_id]
        return file

    def _numbered(self, customer: Customer, index: int, new: NewFile, moment: datetime) -> StagedFile:
        try:
            return self._staged(customer, new, moment)
        except FileTooLarge as error:
            message = f"Entry {index} of `files`: {error.message} Nothing was staged."
            raise FileTooLarge(message, index=index, **error.facts) from error

    def _staged(self, customer: Customer, new: NewFile, moment: datetime) -> StagedFile:
        if new.size_bytes > self.max_file_bytes:
            raise FileTooLarge(
                f"The file has {new.size_bytes} bytes; at most {self.max_file_bytes} are accepted.",
                limit_bytes=self.max_file_bytes,
            )
        file_id = new_file_id()
        return StagedFile(
            file_id=file_id,
            customer_id=customer.customer_id,
            status=FileStatus.PENDING,
            filename=new.filename,
            content_type=new.content_type,
            size_bytes=new.size_bytes,
            sha256=None,
            object_key=keys.input_key(customer.customer_id, moment.date(), file_id),
            created_at=moment,
            expires_at=moment + timedelta(seconds=customer.retention_seconds or self.retention_seconds),
        )

    def _kept(self, files: Sequence[StagedFile]) -> list[Upload]:
        # Addresses first: what has none must not be in the ledger.
        uploads = [Upload(file, self._address(file)) for file in files]
        self.files.add(files)
        return uploads

    def _address(self, file: StagedFile) -> PresignedUrl:
        return self.objects.presign_put(
            file.object_key, size_bytes=file.size_bytes, expires_seconds=self.upload_seconds
        )
