"""Checks of the extract.page batch contract for any server that implements it; knows nothing of this service."""

from octavo.conformance.report import markdown
from octavo.conformance.running import Found, Verdict, run

__all__ = ["Found", "Verdict", "markdown", "run"]
