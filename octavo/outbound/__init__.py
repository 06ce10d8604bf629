"""Requests to addresses that customers name: documents by URL and webhooks. No other code makes such requests."""

from octavo.outbound.addresses import Allowed
from octavo.outbound.fetching import Fetched, Outbound, Posted, TimeLimits
from octavo.outbound.resolving import Resolver
from octavo.outbound.targets import Target, check_url

__all__ = ["Allowed", "Fetched", "Outbound", "Posted", "Resolver", "Target", "TimeLimits", "check_url"]
