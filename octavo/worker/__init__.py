"""What one worker process has on its bench: its slices, their leases, the lanes they are worked off in."""

from octavo.worker.slice_worker import SliceWorker
from octavo.worker.webhook_sender import WebhookSender

__all__ = ["SliceWorker", "WebhookSender"]
