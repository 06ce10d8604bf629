"""Finished pages of a result that is not there yet, in storage: what a reading leaves to the next one.

A piece is written under a name of its own and never changed, so that no worker, however late, can harm what another
has kept: pieces of the same bytes, engine version and options only add to each other. A piece that is not whole
counts for nothing.
"""

import hashlib
import logging
import secrets

from octavo.errors import StorageUnavailable
from octavo.identifiers import CustomerId, ResultId
from octavo.objects import keys
from octavo.objects.contract import ObjectMissing, ObjectStore, ObjectTooLarge

logger = logging.getLogger(__name__)
MAX_BYTES = 192 * 1024**2
"""Of all pieces that are taken up again."""
_DIGEST_BYTES = hashlib.sha256().digest_size


class KeptPages:
    """The pieces of one result to be; `may_be_some` says whether an earlier reading may have left any."""

    def __init__(
        self, objects: ObjectStore, customer_id: CustomerId, result_id: ResultId, *, may_be_some: bool
    ) -> None:
        self._objects = objects
        self._customer_id = customer_id
        self.result_id = result_id
        self._may_be_some = may_be_some

    def add(self, data: bytes) -> bool:
        """Keep a piece; False, and nothing lost but time, when storage does not take it."""
        key = keys.kept_pages_key(self._customer_id, self.result_id, secrets.token_hex(12))
        self._may_be_some = True
        try:
            self._objects.write(key, hashlib.sha256(data).digest() + data, "application/octet-stream")
        except StorageUnavailable as error:
            logger.warning("finished pages are not kept: %s", error.message)
            return False
        return True

    def pieces(self) -> list[bytes]:
        """Return the pieces that are whole. Raises StorageUnavailable."""
        found: list[bytes] = []
        room = MAX_BYTES
        for key in self._keys():
            try:
                stored = self._objects.read(key, max_bytes=room)
            except (ObjectMissing, ObjectTooLarge):
                continue
            digest, data = stored[:_DIGEST_BYTES], stored[_DIGEST_BYTES:]
            if hashlib.sha256(data).digest() != digest:
                logger.warning("%s is damaged; its pages are read again", key)
                continue
            room -= len(stored)
            found.append(data)
        return found

    def drop(self) -> None:
        """Take the pieces away: the result is there. What cannot be done now goes with the result."""
        try:
            self._objects.delete(self._keys())
        except StorageUnavailable as error:
            logger.warning("kept pages stay as long as the result: %s", error.message)

    def _keys(self) -> list[str]:
        # A first reading has nothing to find, and is not to wait for a listing.
        if not self._may_be_some:
            return []
        prefix = keys.kept_pages_prefix(self._customer_id, self.result_id)
        return sorted(info.key for info in self._objects.list(prefix))
