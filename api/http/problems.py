"""How `/v1` and the service's own addresses write a failure: `{"error": code, "message": ..., facts...}`."""

from collections.abc import Mapping, Sequence
from typing import Any

from fastapi.encoders import jsonable_encoder
from fastapi.responses import JSONResponse
from pydantic import BaseModel, ConfigDict

from api.http.failures import PASSING, Failure, status_of
from api.http.problem_examples import example, meaning
from octavo import errors

MAX_INPUT_SHOWN = 200


class Problem(BaseModel):
    """Every error but a validation error: a stable code, a sentence that says what to do, facts."""

    model_config = ConfigDict(extra="allow")

    error: str
    message: str


class FileIdsError(Problem):
    """Some files cannot be used; `file_ids` lists every one of them."""

    file_ids: list[str]


class ResultNotReadyError(Problem):
    """There is no result; `status` is the item's."""

    status: str


SHAPES: Mapping[type[errors.OctavoError], type[Problem]] = {
    errors.UnknownFiles: FileIdsError,
    errors.FilesNotUploaded: FileIdsError,
    errors.ResultNotReady: ResultNotReadyError,
}
"""Errors whose facts the contract names; all others are a `Problem`."""


def problem_answer(failure: Failure) -> JSONResponse:
    """Return the answer that tells of a failure; one of a body or parameter has the framework's `detail` list."""
    if failure.invalid:
        return JSONResponse({"detail": _validation_detail(failure.invalid)}, status_code=failure.status)
    body = {"error": failure.code, **failure.facts, "message": failure.message}
    return JSONResponse(jsonable_encoder(body), status_code=failure.status, headers=dict(failure.headers))


def problems(*classes: type[errors.OctavoError], **facts: Mapping[str, object]) -> dict[int | str, dict[str, Any]]:
    """Return the OpenAPI `responses` of a route that may raise these, each with an example body.

    `facts`, by code, are what this route adds to the facts that the error has everywhere.
    """
    found: dict[int | str, dict[str, Any]] = {}
    for cls in classes:
        shape = SHAPES.get(cls, Problem)
        content: dict[str, Any] = {"application/json": {"examples": {}}}
        entry = found.setdefault(status_of(cls), {"model": shape, "description": "", "content": content})
        if entry["model"] is not shape:
            entry["model"] = entry["model"] | shape
        entry["description"] = f"{entry['description']} `{cls.code}`: {meaning(cls)}".strip()
        shown = {"summary": meaning(cls), "value": example(cls, facts.get(cls.code))}
        entry["content"]["application/json"]["examples"][cls.code] = shown
        if issubclass(cls, PASSING):
            entry["headers"] = {"Retry-After": {"schema": {"type": "integer"}}}
    return found


def _validation_detail(found: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    return [_validation_row(row) for row in found]


def _validation_row(row: Mapping[str, Any]) -> dict[str, Any]:
    """Return what the contract shows of one error.

    `input` is left out unless it is short: a client knows what it sent, and 10,000 file ids, or lists
    nested a thousand deep, help nobody.
    """
    shown = {name: row[name] for name in ("loc", "msg", "type")}
    value = row.get("input")
    if "input" in row and isinstance(value, str | int | float | None) and len(str(value)) <= MAX_INPUT_SHOWN:
        shown["input"] = value
    if row.get("ctx"):
        shown["ctx"] = {name: _plain(fact) for name, fact in row["ctx"].items()}
    return shown


def _plain(fact: object) -> object:
    return fact if isinstance(fact, str | int | float | None) else str(fact)
