"""Our Prefect worker type, `octavo`: flow runs in one long-lived process.

Registered in the entry point group `prefect.collections`, so that `prefect worker start --type octavo` finds it.
"""

from deployments.worker.warm import OctavoWorker

__all__ = ["OctavoWorker"]
