"""Reads JSON bodies strictly by RFC 8259: what a strict client could not read back is refused.

Python's own reader also accepts NaN, Infinity, numbers beyond a double, UTF-16 and lone surrogates;
once stored, they would break the answer that shows them again.
"""

import json
import math
from collections.abc import Callable, Coroutine
from typing import Any

from fastapi import Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.routing import APIRoute


def parse(body: bytes) -> Any:  # noqa: ANN401 - JSON
    """Return the JSON value of a body. Raises json.JSONDecodeError, whatever is wrong with it."""
    text = ""
    try:
        text = body.decode("utf-8")
        found = json.loads(text, parse_constant=_refuse_constant, parse_float=_finite)
        if "\\u" in text:
            json.dumps(found, ensure_ascii=False).encode("utf-8")
    except json.JSONDecodeError:
        raise
    except UnicodeDecodeError as error:
        raise json.JSONDecodeError("The body is not UTF-8", text, error.start) from error
    except UnicodeEncodeError as error:
        raise json.JSONDecodeError("A \\u escape is a lone surrogate", text, 0) from error
    except RecursionError as error:
        raise json.JSONDecodeError("Nested too deep", text, 0) from error
    except ValueError as error:
        raise json.JSONDecodeError(str(error), text, 0) from error
    return found


def _refuse_constant(word: str) -> None:
    raise ValueError(f"{word} is not a JSON number")


def _finite(digits: str) -> float:
    number = float(digits)
    if math.isinf(number):
        raise ValueError("A number is too large")
    return number


class _Unreadable:
    """Represents a body that is not JSON: it fails every validation, but only after authentication."""


class _StrictRequest(Request):
    unreadable: json.JSONDecodeError | None = None

    async def json(self) -> Any:  # noqa: ANN401 - as the framework has it
        if not hasattr(self, "_json"):
            try:
                self._json = parse(await self.body())
            except json.JSONDecodeError as error:
                # The framework reads the body before it authenticates the caller.
                self.unreadable, self._json = error, _Unreadable()
        return self._json


class StrictJsonRoute(APIRoute):
    """A route whose JSON body is read by `parse`; errors become a 422 that says what is wrong."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """Give the framework's handler a request that reads its body strictly."""
        handle = super().get_route_handler()

        async def strictly(request: Request) -> Response:
            strict = _StrictRequest(request.scope, request.receive)
            try:
                return await handle(strict)
            except RequestValidationError as error:
                if strict.unreadable is None:
                    raise
                raise _invalid(strict.unreadable) from error

        return strictly


def _invalid(error: json.JSONDecodeError) -> RequestValidationError:
    row = {"type": "json_invalid", "loc": ("body", error.pos), "msg": "JSON decode error", "ctx": {"error": error.msg}}
    return RequestValidationError([row])
