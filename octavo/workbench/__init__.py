"""What one worker process has on its bench: its slices, their leases, the lanes they are worked off in."""

from octavo.workbench.bench import Workbench

__all__ = ["Workbench"]
