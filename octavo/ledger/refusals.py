"""The sentences in which a ledger refuses; the same ones for every ledger."""

from collections.abc import Sequence

from octavo.errors import (
    BatchCancelling,
    BatchNotFinished,
    BatchNotFound,
    CustomerNotFound,
    DeliveryNotFound,
    FileInUse,
    FilesNotUploaded,
    IdempotencyKeyReused,
    ItemNotFound,
    LedgerUnavailable,
    StaleLease,
    TooManyWebhooks,
    UnknownFiles,
    WebhookDisabled,
    WebhookNotFound,
)


def customer_not_found(customer_id: str) -> CustomerNotFound:
    """Return the refusal of an unknown customer."""
    return CustomerNotFound(f"There is no customer {customer_id}; list the customers to see their ids.")


def batch_not_found(batch_id: str) -> BatchNotFound:
    """Return the refusal of a batch that is unknown, or another customer's."""
    return BatchNotFound(f"There is no batch {batch_id}; check the id and whose key was used.")


def batch_cancelling(batch_id: str) -> BatchCancelling:
    """Return the refusal of a retry while a cancelled batch comes to its end."""
    return BatchCancelling(f"Batch {batch_id} is being cancelled; retry what failed once its running items have ended.")


def item_not_found(batch_id: str, item_id: str) -> ItemNotFound:
    """Return the refusal of an item that is not in its batch."""
    return ItemNotFound(f"There is no item {item_id} in batch {batch_id}; list the batch to see its items.")


def item_not_found_at_all(item_id: str) -> ItemNotFound:
    """Return the refusal of an item that is unknown, or another customer's."""
    return ItemNotFound(f"There is no item {item_id}; check the id and whose key was used.")


def unknown_files(file_ids: Sequence[str]) -> UnknownFiles:
    """Return the refusal of files that are not this customer's, or expired."""
    return UnknownFiles(
        f"{len(file_ids)} of the files are unknown or expired; stage and upload them again.",
        file_ids=list(file_ids),
    )


def file_in_use(file_id: str, batch_ids: Sequence[str]) -> FileInUse:
    """Return the refusal to delete a file that unfinished items name."""
    return FileInUse(
        f"File {file_id} is named by batches that have not ended; cancel them, or wait for their end.",
        batch_ids=list(batch_ids),
    )


def batch_not_finished(batch_id: str, status: str) -> BatchNotFinished:
    """Return the refusal to delete a batch that has not ended."""
    return BatchNotFinished(
        f"Batch {batch_id} is {status}; cancel it, or wait for its end, before you delete it.", status=status
    )


def files_not_uploaded(file_ids: Sequence[str]) -> FilesNotUploaded:
    """Return the refusal of files that have no bytes yet."""
    return FilesNotUploaded(
        f"{len(file_ids)} of the files have no bytes yet; upload them, then submit again.",
        file_ids=list(file_ids),
    )


def webhook_not_found(webhook_id: str) -> WebhookNotFound:
    """Return the refusal of a webhook that is unknown, or another customer's."""
    return WebhookNotFound(f"There is no webhook {webhook_id}; list the webhooks to see their ids.")


def delivery_not_found(delivery_id: str) -> DeliveryNotFound:
    """Return the refusal of a delivery that is unknown, or another customer's."""
    return DeliveryNotFound(f"There is no delivery {delivery_id}; list the webhook's deliveries to see their ids.")


def webhook_disabled(webhook_id: str) -> WebhookDisabled:
    """Return the refusal of sending something to a webhook that is off."""
    return WebhookDisabled(f"Webhook {webhook_id} is disabled; enable it first.")


def too_many_webhooks(most: int) -> TooManyWebhooks:
    """Return the refusal of one webhook more than a customer may have."""
    return TooManyWebhooks(f"A customer has at most {most} webhooks; delete one, or change it.", limit=most)


def idempotency_key_reused() -> IdempotencyKeyReused:
    """Return the refusal of a key that came before with another body."""
    return IdempotencyKeyReused("This idempotency key was used with another body in the last 24 hours; use a new one.")


def run_is_over(run_id: str) -> StaleLease:
    """Return the refusal of a claim by a run that was given up or has ended."""
    return StaleLease(f"Run {run_id} is over; its items went to another run, so it should end now.")


def lease_is_over(item_id: str) -> StaleLease:
    """Return the refusal of a report about an item that was given to somebody else, or has ended."""
    return StaleLease(f"Item {item_id} is no longer held under this lease; stop the work on it.")


def bad_cap(item_cap: int) -> ValueError:
    """Return the refusal of a cap under which nothing could run."""
    return ValueError(f"a customer's cap is at least 1, not {item_cap}")


def taken_already(what: str) -> ValueError:
    """Return the refusal of an id, or digest, that the ledger has."""
    return ValueError(f"the ledger has this {what} already")


def closed() -> LedgerUnavailable:
    """Return the refusal of a ledger that was closed."""
    return LedgerUnavailable("The ledger is closed; start the service again.")
