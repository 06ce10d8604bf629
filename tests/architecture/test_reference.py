"""The generated reference is up to date, and no error code has been removed."""

import pytest

from api.http.failures import STATUS
from octavo import errors
from scripts import reference
from tests.architecture.checkout import ROOT

FOR_EVER = {
    "delivery_not_found", "too_many_webhooks", "webhook_disabled", "webhook_not_found",
    "archive_foreign", "archive_missing", "archive_unreadable",
    "extraction_timeout", "schema_extraction_unavailable",
    "drawing_timeout", "no_page_images", "page_not_drawn",
    "batch_not_finished", "batch_not_found", "customer_disabled", "customer_not_found", "data_directory_in_use",
    "document_too_large", "extraction_failed", "file_in_use", "file_not_found", "file_not_uploaded", "file_too_large",
    "idempotency_key_reused",
    "batch_cancelling",
    "internal_error", "invalid_admin_token", "invalid_api_key", "invalid_cursor", "invalid_idempotency_key",
    "invalid_settings", "invalid_status", "item_not_found", "ledger_damaged", "ledger_exists", "ledger_missing",
    "ledger_too_new", "ledger_unavailable",
    "metadata_too_large", "missing_program", "ocr_provider_error", "orchestrator_unavailable", "part_gave_up",
    "page_limit_exceeded", "payment_required", "quota_exceeded", "request_too_large", "result_expired",
    "result_not_ready", "service_unreachable", "stale_lease", "storage_unavailable", "unknown_engine",
    "unsupported_input", "upload_missing", "uploads_not_configured",
    "url_not_allowed", "fetch_failed",
    "invalid_period", "key_not_found", "rate_limited", "uploads_only",
    "host_not_allowed", "request_timeout", "service_busy",
}  # fmt: skip
"""Every code that was ever given out. Add a new one here; take none away."""


def leaves(base: type[errors.OctavoError]) -> list[type[errors.OctavoError]]:
    """Return the classes of `octavo/errors.py` below this one that have none below them."""
    below = [cls for cls in base.__subclasses__() if cls.__module__ == errors.__name__]
    return [leaf for cls in below for leaf in (leaves(cls) or [cls])]


@pytest.mark.parametrize("name", sorted(reference.PAGES))
def test_a_reference_page_is_what_the_code_says(name: str) -> None:
    page = (ROOT / "docs" / "reference" / name).read_text(encoding="utf-8")
    assert page == reference.PAGES[name](), "stale: run `make docs`"


def test_no_code_ever_goes() -> None:
    today = {cls.code for cls in leaves(errors.OctavoError)}
    assert today >= FOR_EVER, "clients have seen this code: it stays, with its meaning"
    assert today <= FOR_EVER, "a new code: list it above"


def test_no_two_errors_share_a_code() -> None:
    codes = [cls.code for cls in leaves(errors.OctavoError)]
    assert len(codes) == len(set(codes))


def test_every_request_error_has_a_status() -> None:
    assert set(STATUS) == set(leaves(errors.RequestError))
    assert all(400 <= status < 600 for status in STATUS.values())


def test_the_tree_at_the_top_of_the_errors_is_true() -> None:
    assert reference.codes_by_class() == {cls.__name__: cls.code for cls in leaves(errors.OctavoError)}
