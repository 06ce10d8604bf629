"""What one worker process holds: its slices, their leases, and the threads that process them."""

from octavo.worker.slice_worker import SliceWorker
from octavo.worker.webhook_sender import WebhookSender

__all__ = ["SliceWorker", "WebhookSender"]
