"""The worker of this process, as flows and tasks find it: set by the warm worker, otherwise made from the settings."""

import atexit
import secrets
import threading

from octavo import wiring
from octavo.settings import read_settings
from octavo.worker import SliceWorker, WebhookSender

_lock = threading.Lock()
_slice_worker: SliceWorker | None = None
_webhook_sender: WebhookSender | None = None


def install(slice_worker: SliceWorker) -> None:
    """Make this the slice worker of the process; the warm worker does so before its first run."""
    global _slice_worker
    with _lock:
        _slice_worker = slice_worker


def current() -> SliceWorker:
    """Return the slice worker of the process; the flow run of an ordinary process worker makes its own."""
    global _slice_worker
    with _lock:
        if _slice_worker is None:
            settings = read_settings()
            reader = wiring.extractor(settings)
            # Before registering: a worker whose sandbox cannot be set up must not claim anything.
            reader.warm_up()
            # Processes of one pool live at the same time: each is a worker of its own.
            client = wiring.worker_client(settings, f"process-{secrets.token_hex(4)}")
            _slice_worker = wiring.slice_worker(settings, client, reader, wiring.greet(settings, client, reader))
            _slice_worker.start()
            atexit.register(client.goodbye)
        return _slice_worker


def webhook_sender() -> WebhookSender:
    """Return what sends webhook deliveries from this process, over the slice worker's connection to the API."""
    global _webhook_sender
    here = current()
    with _lock:
        if _webhook_sender is None:
            _webhook_sender = wiring.webhook_sender(read_settings(), here.client)
        return _webhook_sender
