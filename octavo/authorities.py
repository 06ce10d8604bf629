"""Whom HTTPS clients of this process trust, read once: reading takes 20 ms of processor time."""

import ssl
from functools import cache

import httpx


@cache
def authorities() -> ssl.SSLContext:
    """Return the certificate authorities that come with httpx; the context serves any number of clients."""
    return httpx.create_ssl_context(trust_env=False)
