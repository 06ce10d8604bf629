"""One worker process: the slices it has leased and processes, and what else it does for the API."""

from octavo.worker.slice_worker import SliceWorker
from octavo.worker.webhook_sender import WebhookSender

__all__ = ["SliceWorker", "WebhookSender"]
