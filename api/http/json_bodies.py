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

from api.threads import in_thread
from octavo.errors import RequestTooLarge

IN_THREAD_BYTES = 256 * 1024
"""Longer bodies are read in a thread."""
MOST_VALUES = 200_000
"""Values, lists and objects of one body. Python reads so many in 20 to 40 ms, and nothing else runs meanwhile, in
whatever thread it is; 10,000 files with all their fields are 60,000."""


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


def check_values(body: bytes) -> None:
    """Raise RequestTooLarge for a body of more values than are read at once, without reading any."""
    if _marks(body) <= MOST_VALUES:
        return
    # Some of these may stand in strings; of strings there are at most two for each value, its own and its key.
    plain = body.replace(b"\\\\", b"").replace(b'\\"', b"")
    if plain.count(b'"') > 4 * MOST_VALUES or sum(map(_marks, plain.split(b'"')[::2])) > MOST_VALUES:
        raise RequestTooLarge(f"The body has more than {MOST_VALUES} values; send less at a time.")


def _marks(text: bytes) -> int:
    return text.count(b",") + text.count(b"[") + text.count(b"{")


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
    refusal: Exception | None = None

    async def json(self) -> Any:  # noqa: ANN401 - as the framework has it
        if not hasattr(self, "_json"):
            body = await self.body()
            try:
                self._json = await in_thread(lambda: _read(body)) if len(body) > IN_THREAD_BYTES else _read(body)
            except json.JSONDecodeError as error:
                # The framework reads the body before it looks at the rest of the request.
                self.refusal, self._json = _invalid(error), _Unreadable()
            except RequestTooLarge as error:
                self.refusal, self._json = error, _Unreadable()
        return self._json


def _read(body: bytes) -> Any:  # noqa: ANN401 - JSON
    check_values(body)
    return parse(body)


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
                if strict.refusal is None:
                    raise
                raise strict.refusal from error

        return strictly


def _invalid(error: json.JSONDecodeError) -> RequestValidationError:
    row = {"type": "json_invalid", "loc": ("body", error.pos), "msg": "JSON decode error", "ctx": {"error": error.msg}}
    return RequestValidationError([row])
