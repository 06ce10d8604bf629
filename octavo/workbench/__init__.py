"""What one worker process has on its bench: its slices, their leases, the lanes they are worked off in."""

from octavo.workbench.bench import Workbench
from octavo.workbench.courier import Courier

__all__ = ["Courier", "Workbench"]
