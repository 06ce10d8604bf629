"""Synchronous extraction: a customer waits while a worker reads one document, fetched by its address or sent along."""

import shutil
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Protocol

import anyio.to_thread

from octavo.batches import Customer
from octavo.disk_room import refusing_full_disk
from octavo.engines.registry import EngineRegistry
from octavo.errors import DocumentTooLarge, UrlNotAllowed
from octavo.identifiers import CustomerId
from octavo.ledger.contract import BillingLedger
from octavo.outbound import Allowed, check_url
from octavo.service.admission import require_pages

COPY_BYTES = 1024 * 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class SyncRequest:
    """A document that a customer waits for."""

    customer_id: CustomerId
    engine: str
    extract_text: bool
    extract_images: bool
    has_quota: bool
    url: str | None = None
    path: Path | None = None
    """Its bytes, where they were sent along."""
    filename: str | None = None
    content_type: str | None = None


class WaitingExtractions(Protocol):
    """Has documents read while their customers wait."""

    def require_capacity(self, customer_id: CustomerId) -> None:
        """Return when the customer may have one more document waiting or in work. Raises RateLimited."""
        ...

    async def extract(self, request: SyncRequest) -> IO[bytes]:
        """Return the result as JSON in a file, which the caller closes.

        Raises what is wrong with the document, and ExtractionTimeout.
        """
        ...


@dataclass(frozen=True, slots=True)
class Shown:
    """What the answer shows of the document."""

    extract_text: bool = True
    extract_images: bool = True


@dataclass(frozen=True, slots=True)
class UploadedDocument:
    """A document that was sent along with a request."""

    content: IO[bytes]
    size_bytes: int
    filename: str | None
    content_type: str | None


@dataclass(frozen=True, slots=True)
class SyncExtraction:
    """Reads documents at once."""

    extractions: WaitingExtractions
    billing: BillingLedger
    engines: EngineRegistry
    fetches_addresses: bool
    """Whether documents may be given by their address at all."""
    allowed: Sequence[str]
    """Private addresses (`host:port`) that may be fetched from."""
    max_file_bytes: int

    async def of_address(self, customer: Customer, url: str, shown: Shown) -> IO[bytes]:
        """Return the result of the document at an address.

        Raises UrlNotAllowed, RateLimited, QuotaExceeded, FetchFailed, ExtractionTimeout and the errors of documents.
        """
        if not self.fetches_addresses:
            raise UrlNotAllowed("This service does not fetch URLs; send the document itself.")
        self.extractions.require_capacity(customer.customer_id)
        check_url(url, Allowed.read(self.allowed))
        await self._require_pages(customer)
        return await self.extractions.extract(self._request(customer, shown, url=url))

    async def admit(self, customer: Customer) -> None:
        """Return when a document of this customer would be read now: ask before its bytes are taken in.

        Raises RateLimited, QuotaExceeded.
        """
        self.extractions.require_capacity(customer.customer_id)
        await self._require_pages(customer)

    def check_size(self, size_bytes: int) -> None:
        """Return when a document is not too large. Raises DocumentTooLarge."""
        if size_bytes > self.max_file_bytes:
            raise DocumentTooLarge(f"The document has {size_bytes} bytes; at most {self.max_file_bytes} are accepted.")

    async def of_upload(self, customer: Customer, document: UploadedDocument, shown: Shown) -> IO[bytes]:
        """Return the result of a document that was sent along.

        Raises RateLimited, DocumentTooLarge, ExtractionTimeout, StorageUnavailable and the errors of documents.
        """
        self.check_size(document.size_bytes)
        with refusing_full_disk():
            kept = tempfile.TemporaryDirectory(prefix="octavo-call-")
        with kept as folder:
            path = Path(folder) / "document"
            await anyio.to_thread.run_sync(_save, document.content, path)
            request = self._request(
                customer, shown, path=path, filename=document.filename, content_type=document.content_type
            )
            return await self.extractions.extract(request)

    async def _require_pages(self, customer: Customer) -> None:
        await anyio.to_thread.run_sync(require_pages, self.billing, customer)

    def _request(
        self,
        customer: Customer,
        shown: Shown,
        *,
        url: str | None = None,
        path: Path | None = None,
        filename: str | None = None,
        content_type: str | None = None,
    ) -> SyncRequest:
        return SyncRequest(
            customer_id=customer.customer_id,
            engine=self.engines.resolve(None).name,
            extract_text=shown.extract_text,
            extract_images=shown.extract_images,
            has_quota=customer.page_quota is not None,
            url=url,
            path=path,
            filename=filename,
            content_type=content_type,
        )


def _save(content: IO[bytes], path: Path) -> None:
    with refusing_full_disk(), path.open("wb") as file:
        shutil.copyfileobj(content, file, COPY_BYTES)
