"""Checks of the extract.page batch contract for any server that implements it; knows nothing of this service."""

from octavo.conformance.report import markdown
from octavo.conformance.running import CheckStatus, Found, run

__all__ = ["CheckStatus", "Found", "markdown", "run"]
