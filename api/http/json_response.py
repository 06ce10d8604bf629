"""JSON answers that skip validation."""

from collections.abc import Mapping

import pydantic_core
from fastapi import Response


def json_response(body: Mapping[str, object]) -> Response:
    """Return a body as JSON without looking at it field by field once more, as the framework would, in a thread.

    For routes that are asked often or answer much; tests hold them to their `response_model`.
    """
    return Response(pydantic_core.to_json(body), media_type="application/json")
