"""Checks of the extract.page batch contract against any server that speaks it; knows no part of this service."""

from octavo.conformance.report import markdown
from octavo.conformance.running import Found, Verdict, run

__all__ = ["Found", "Verdict", "markdown", "run"]
