"""`/v1` as a dialect: how it writes failures and limits, and its routes.

The rate limit fields are those of the IETF draft (draft-ietf-httpapi-ratelimit-headers-10): `RateLimit-Policy` says how
many (`q`) in how many seconds (`w`), `RateLimit` how many are left (`r`) and when the next one comes free (`t`).
"""

from collections.abc import Mapping

from api.http.auth import sending_customer
from api.http.dialects import Dialect
from api.http.problems import problem_answer
from api.http.submission_rates import WINDOW_SECONDS, Standing
from api.v1 import (
    batches,
    bulk,
    deletions,
    engines,
    exports,
    extract,
    files,
    images,
    page_images,
    results,
    retries,
    usage,
    webhooks,
)
from octavo.settings import Settings

PREFIX = "/v1"
FIELDS = ("RateLimit", "RateLimit-Policy", "Retry-After")
"""Fields a page of another origin may read."""
POLICY = '"submissions"'


def v1(settings: Settings) -> Dialect:
    """Return the dialect `/v1`."""
    max_bytes = settings.api.max_body_bytes
    forms = settings.limits.max_file_bytes + extract.FORM_BYTES
    return Dialect(
        prefix=PREFIX,
        write_failure=problem_answer,
        max_body_bytes=max_bytes,
        identify=sending_customer,
        form_paths=extract.FORM_PATHS,
        larger_bodies=dict.fromkeys(extract.FORM_PATHS, forms) | {bulk.PATH: max_bytes * bulk.BODY_FACTOR},
        rate_limit_fields=rate_limit_fields,
        routers=[
            module.router
            for module in (
                bulk,
                files,
                batches,
                retries,
                exports,
                results,
                images,
                page_images,
                deletions,
                extract,
                webhooks,
                usage,
                engines,
            )
        ],
    )


def rate_limit_fields(standing: Standing) -> Mapping[str, str]:
    """Return the fields that show how many submissions a key has left."""
    return {
        "RateLimit-Policy": f"{POLICY};q={standing.limit};w={WINDOW_SECONDS}",
        "RateLimit": f"{POLICY};r={standing.left};t={standing.seconds}",
    }
