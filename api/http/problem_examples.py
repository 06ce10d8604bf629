"""What each refusal looks like, for the API's description: a body of every error, facts and all."""

from collections.abc import Mapping
from typing import Any

from octavo import errors

FACTS: Mapping[type[errors.OctavoError], Mapping[str, object]] = {
    errors.UnknownFiles: {"file_ids": ["file_01m8abc"]},
    errors.FilesNotUploaded: {"file_ids": ["file_01m8abc"]},
    errors.ResultNotReady: {"status": "running"},
    errors.FileTooLarge: {"limit_bytes": 157286400},
    errors.RequestTooLarge: {"limit_bytes": 4194304},
    errors.UnknownEngine: {"engines": ["auto", "fast"]},
    errors.RateLimited: {"retry_after_seconds": 12},
    errors.QuotaExceeded: {"limit": 10000},
    errors.BatchNotFinished: {"status": "running"},
    errors.FileInUse: {"batch_ids": ["batch_01m8abc"]},
    errors.TooManyWebhooks: {"limit": 10},
    errors.InvalidStatus: {"statuses": ["pending", "running", "completed"]},
}
"""Facts of the errors that carry some, as the tree in `octavo/errors.py` names them."""

LEDGER_UNAVAILABLE = {
    "error": errors.LedgerUnavailable.code,
    "message": "The service cannot reach its ledger at the moment; nothing was done. Try again.",
}
DEFECT = {
    "error": errors.InternalError.code,
    "message": "Something went wrong in the service; its log has the details. Try again.",
}
VALIDATION = {"detail": [{"loc": ["query", "limit"], "msg": "Input should be greater than 0", "type": "greater_than"}]}


def example(cls: type[errors.OctavoError], more: Mapping[str, object] | None = None) -> dict[str, Any]:
    """Return a body of this error, with facts that only some routes add."""
    return {"error": cls.code, **FACTS.get(cls, {}), **(more or {}), "message": meaning(cls)}


def meaning(cls: type[errors.OctavoError]) -> str:
    """Return the meaning of an error in one sentence."""
    return (cls.__doc__ or cls.code).strip().partition("\n")[0]
