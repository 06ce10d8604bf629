"""Presigned S3 URLs (AWS Signature Version 4 in the query), made with botocore's signer.

The signer is called directly, not through a client: the same bytes for a third of the time, and
no shared state. Only what is signed here is bound: the Host always, Content-Length for a PUT.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from urllib.parse import quote, urlencode

from botocore.auth import S3SigV4QueryAuth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

from octavo.objects.contract import PresignedUrl, checked_expiry


@dataclass(frozen=True, slots=True)
class Presigner:
    """Signs URLs of one bucket, path-addressed, for the host that clients see; safe from any thread."""

    public_url: str
    bucket: str
    region: str
    credentials: Credentials

    def url(
        self,
        method: str,
        key: str,
        *,
        expires_seconds: int,
        headers: Mapping[str, str] | None = None,
        query: Mapping[str, str] | None = None,
    ) -> PresignedUrl:
        """Return a URL for one method and key; `headers` are bound. Raises ValueError for a bad expiry."""
        checked_expiry(expires_seconds)
        address = f"{self.public_url.rstrip('/')}/{quote(self.bucket)}/{quote(key)}"
        if query:
            address += "?" + urlencode(query, quote_via=quote, safe="")
        request = AWSRequest(method=method, url=address, headers=dict(headers or {}))
        # The signer dates the URL to the whole second, by rounding down.
        signed_at = datetime.now(UTC).replace(microsecond=0)
        S3SigV4QueryAuth(self.credentials, "s3", self.region, expires=expires_seconds).add_auth(request)
        return PresignedUrl(url=str(request.url), expires_at=signed_at + timedelta(seconds=expires_seconds))
