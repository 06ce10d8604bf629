"""Identifiers: a prefix and a time-ordered random part (ULID, 48 bit milliseconds + 80 random bits).

They sort by creation time to the millisecond and cannot be guessed. They are written in Crockford's
base 32, in lower case, with 26 characters.
"""

import secrets
import time
from typing import NewType

CustomerId = NewType("CustomerId", str)
KeyId = NewType("KeyId", str)
FileId = NewType("FileId", str)
BatchId = NewType("BatchId", str)
ItemId = NewType("ItemId", str)
ResultId = NewType("ResultId", str)
WebhookId = NewType("WebhookId", str)
DeliveryId = NewType("DeliveryId", str)
CallId = NewType("CallId", str)
"""One sync extraction: a document whose caller waits for it."""
RunId = NewType("RunId", str)
"""A Prefect flow run's id (a UUID as text); the core treats it as opaque."""
WorkerId = NewType("WorkerId", str)
"""One worker process: its name, a slash and a random part."""

_ALPHABET = "0123456789abcdefghjkmnpqrstvwxyz"
_PAIRS = [first + second for first in _ALPHABET for second in _ALPHABET]
_RANDOM_BITS = 80


def random_part() -> str:
    """Return 26 characters: milliseconds since 1970, then 80 random bits."""
    number = (time.time_ns() // 1_000_000 << _RANDOM_BITS) | secrets.randbits(_RANDOM_BITS)
    # Two characters at a time: a batch asks for 10,000 of these at once.
    return "".join([_PAIRS[number >> shift & 1023] for shift in range(120, -1, -10)])


def new_customer_id() -> CustomerId:
    """Return a fresh customer id, `cust_...`."""
    return CustomerId(f"cust_{random_part()}")


def new_key_id() -> KeyId:
    """Return a fresh API key id, `key_...` (the id, not the secret)."""
    return KeyId(f"key_{random_part()}")


def new_file_id() -> FileId:
    """Return a fresh file id, `file_...`."""
    return FileId(f"file_{random_part()}")


def new_batch_id() -> BatchId:
    """Return a fresh batch id, `batch_...`."""
    return BatchId(f"batch_{random_part()}")


def new_item_id() -> ItemId:
    """Return a fresh item id, `item_...`."""
    return ItemId(f"item_{random_part()}")


def new_webhook_id() -> WebhookId:
    """Return a fresh webhook id, `webhook_...`."""
    return WebhookId(f"webhook_{random_part()}")


def new_delivery_id() -> DeliveryId:
    """Return a fresh delivery id, `delivery_...`."""
    return DeliveryId(f"delivery_{random_part()}")


def new_call_id() -> CallId:
    """Return a fresh call id, `call_...`."""
    return CallId(f"call_{random_part()}")
