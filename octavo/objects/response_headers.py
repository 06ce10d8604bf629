"""The headers of the answer to a presigned GET: they are part of its URL, signed."""

import re
from urllib.parse import quote

_MAX_NAME_CHARACTERS = 120
"""Keeps the URL, percent-encoded in UTF-8, below the 4 kB that a server may allow for all headers."""
_CONTROL = re.compile(r"[\x00-\x1f\x7f]")
_NOT_PLAIN = re.compile(r"[^A-Za-z0-9 ._()-]")


def response_parameters(content_type: str, filename: str | None) -> dict[str, str]:
    """Return the query parameters that set the answer's headers. Raises ValueError for control characters."""
    if not content_type or _CONTROL.search(content_type):
        raise ValueError(f"not a content type: {content_type!r}")
    parameters = {"response-content-type": content_type}
    if filename is not None:
        parameters["response-content-disposition"] = content_disposition(filename)
    return parameters


def content_disposition(filename: str) -> str:
    """Return a Content-Disposition that saves under this name (RFC 6266), as ASCII and as UTF-8.

    Folders, control characters and anything beyond 120 characters are left out of the name.
    """
    last = re.split(r"[/\\]", filename)[-1]
    name = _CONTROL.sub("", last)[:_MAX_NAME_CHARACTERS].strip() or "download"
    # A lone surrogate (half of a pair, from a name that was never UTF-8) cannot be encoded.
    name = name.encode("utf-8", "replace").decode("utf-8")
    plain = _NOT_PLAIN.sub("_", name)
    return f"attachment; filename=\"{plain}\"; filename*=UTF-8''{quote(name, safe='')}"
