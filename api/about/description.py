"""Completes what the routes declare in `/openapi.json`.

Some answers belong to no particular route: a body over the limit, a parameter of the wrong shape, a ledger
that cannot work, a bug. They are declared here for all routes.
"""

from typing import Any

from fastapi import FastAPI
from fastapi.openapi.utils import validation_error_definition, validation_error_response_definition

from api.http.failures import status_of
from api.http.problem_examples import DEFECT, LEDGER_UNAVAILABLE, VALIDATION, example, meaning
from api.http.problems import Problem
from api.v1.extract import FORMS
from octavo.errors import LedgerUnavailable, OctavoError, RateLimited, RequestTimeout, RequestTooLarge, ServiceBusy

Json = dict[str, Any]
ABOUT = (
    "Stage files, submit them as a batch, poll the batch by cursor, fetch the results. "
    "If a request fails, `message` says what to do; programs use `error`, whose values never change.\n\n"
    "Octavo is free software under the GNU Affero General Public License: "
    "[the source of this running service](source)."
)
TAGS = [
    {"name": "v1", "description": "The documented interface: `X-API-KEY`, or the same key as a bearer token."},
    {"name": "async-batch", "description": "Files, batches and results."},
    {"name": "admin", "description": "For the operator, with the admin token from the data directory."},
    {"name": "operation", "description": "The state of the service."},
]
ADMIN_SCHEME, BEARER_SCHEME = "AdminToken", "BearerKey"
PROBLEM = {"$ref": "#/components/schemas/Problem"}
INVALID = {"$ref": "#/components/schemas/HTTPValidationError"}


def install(app: FastAPI) -> None:
    """Let the app describe itself in full."""

    def described() -> Json:
        if app.openapi_schema is None:
            _complete(FastAPI.openapi(app))
        return app.openapi_schema or {}

    # FastAPI documents this way of its own.
    app.openapi = described  # type: ignore[method-assign]


def _complete(document: Json) -> None:
    schemas = document.setdefault("components", {}).setdefault("schemas", {})
    schemas.setdefault("Problem", Problem.model_json_schema())
    schemas |= FORMS
    schemas.setdefault("ValidationError", validation_error_definition)
    schemas.setdefault("HTTPValidationError", validation_error_response_definition)
    schemes = document["components"].setdefault("securitySchemes", {})
    schemes[BEARER_SCHEME] = {"type": "http", "scheme": "bearer", "description": "A customer's API key."}
    schemes[ADMIN_SCHEME] = {"type": "http", "scheme": "bearer", "description": "The admin token."}
    for path, methods in document["paths"].items():
        for operation in methods.values():
            _complete_operation(path, operation)


def _complete_operation(path: str, operation: Json) -> None:
    if path.startswith("/admin"):
        operation["security"] = [{ADMIN_SCHEME: []}]
    elif "security" in operation:
        operation["security"].append({BEARER_SCHEME: []})
    responses = operation["responses"]
    if "requestBody" in operation:
        _declare_error(responses, RequestTooLarge)
        _declare_error(responses, RequestTimeout)
        if not path.startswith("/admin"):
            _declare_error(responses, RateLimited)
            _declare_error(responses, ServiceBusy)
    if "security" in operation:
        _declare(responses, 503, LedgerUnavailable.code, meaning(LedgerUnavailable), LEDGER_UNAVAILABLE)
        _declare_retry(responses, 503)
        _declare(responses, 500, DEFECT["error"], "A bug in the service; its log has the details.", DEFECT)
    if "requestBody" in operation or operation.get("parameters") or "422" in responses:
        _declare_validation(responses)
    operation["responses"] = dict(sorted(responses.items()))


def _declare_error(responses: Json, cls: type[OctavoError]) -> None:
    status = status_of(cls)
    _declare(responses, status, cls.code, meaning(cls), example(cls))
    if status in (429, 503):
        _declare_retry(responses, status)


def _declare_retry(responses: Json, status: int) -> None:
    responses[str(status)].setdefault("headers", {})["Retry-After"] = {"schema": {"type": "integer"}}


def _declare(responses: Json, status: int, code: str, summary: str, body: Json) -> None:
    """Add this problem to an operation's answers."""
    entry = responses.setdefault(str(status), {"description": ""})
    content = entry.setdefault("content", {}).setdefault("application/json", {"schema": PROBLEM})
    examples = content.setdefault("examples", {})
    if code not in examples:
        examples[code] = {"summary": summary, "value": body}
        entry["description"] = f"{entry['description']} `{code}`: {summary}".strip()


def _declare_validation(responses: Json) -> None:
    """Say that a 422 may be the framework's list of what is wrong with a body or parameter."""
    entry = responses.setdefault("422", {"description": "", "content": {"application/json": {"schema": INVALID}}})
    content = entry["content"]["application/json"]
    if content["schema"] != INVALID:
        content["schema"] = {"anyOf": [INVALID, content["schema"]]}
    content.setdefault("examples", {})["validation"] = {"summary": "A body or parameter is wrong.", "value": VALIDATION}
    entry["description"] = f"{entry['description']} Otherwise a list of what is wrong, in `detail`.".strip()
