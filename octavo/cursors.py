"""Opaque cursors: a place in one list, spelled in URL-safe base64; of use in that list alone."""

import base64
import binascii
import json
from datetime import UTC, datetime, timedelta

from octavo.errors import InvalidCursor

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def encode(scope: str, moment: datetime, identifier: str) -> str:
    """Return the cursor of a place; `scope` names the list, such as a batch id."""
    micros = (moment - _EPOCH) // timedelta(microseconds=1)
    return base64.urlsafe_b64encode(json.dumps([scope, micros, identifier]).encode()).decode().rstrip("=")


def decode(scope: str, untrusted_cursor: str) -> tuple[datetime, str]:
    """Return the place a cursor of this list stands for. Raises InvalidCursor."""
    try:
        padded = untrusted_cursor + "=" * (-len(untrusted_cursor) % 4)
        found = json.loads(base64.b64decode(padded, altchars=b"-_", validate=True))
        found_scope, micros, identifier = found
        if found_scope != scope or type(micros) is not int or type(identifier) is not str:
            raise ValueError("another list's cursor")
        identifier.encode()  # half a surrogate pair is no text, and no database takes it
        return _EPOCH + timedelta(microseconds=micros), identifier
    except (ValueError, TypeError, OverflowError, RecursionError, binascii.Error) as error:
        raise InvalidCursor(
            "This cursor was not given out for this list; leave it out to start from the beginning."
        ) from error
