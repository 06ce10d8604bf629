"""Which dialect a path belongs to, and how that dialect writes what no route of its own answers.

A dialect is chosen by the path that was asked, here and nowhere else: a wrong key, a body that is too long, too many
submissions, an address that does not exist and a defect are answered in the shape its clients know.
"""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field

from fastapi import APIRouter, FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException

from api.http.auth import Identify
from api.http.failures import Failure, failure_of
from api.http.submission_rates import Standing
from octavo import errors

HANDLED: tuple[type[Exception], ...] = (
    errors.RequestError,
    errors.DocumentError,
    errors.LedgerUnavailable,
    errors.StaleLease,
    RequestValidationError,
    HTTPException,
    Exception,
)


def no_fields(_: Standing) -> Mapping[str, str]:
    """Return no header fields: a dialect that says nothing about rate limits but `Retry-After`."""
    return {}


@dataclass(frozen=True, slots=True, kw_only=True)
class Dialect:
    """One dialect of the API, as far as HTTP is concerned."""

    prefix: str
    """The beginning of its paths, without a slash at the end."""
    write_failure: Callable[[Failure], Response]
    """Writes an answer that tells of a failure."""
    max_body_bytes: int
    """The longest body of any path that is not in `larger_bodies`."""
    identify: Identify | None = None
    """Finds out who sends a request, before its body is received; None where anybody may ask."""
    larger_bodies: Mapping[str, int] = field(default_factory=dict)
    """Paths that take longer bodies, and how many bytes each takes."""
    form_paths: Collection[str] = ()
    """Paths whose bodies are forms with a document, which go to disk as they arrive."""
    rate_limit_fields: Callable[[Standing], Mapping[str, str]] = no_fields
    """Returns the header fields of an answer to a submission that was counted."""
    routers: Sequence[APIRouter] = ()

    def longest_body(self, path: str) -> int:
        """Return how many bytes the body of a request to this path may have."""
        return self.larger_bodies.get(path, self.max_body_bytes)

    def covers(self, path: str) -> bool:
        """Return whether a path belongs to this dialect."""
        return path == self.prefix or path.startswith(f"{self.prefix}/")


class Dialects:
    """The dialects of one app; the longest prefix decides, and `otherwise` has every path that no prefix covers."""

    def __init__(self, dialects: Sequence[Dialect], *, otherwise: Dialect) -> None:
        self._dialects = sorted(dialects, key=lambda dialect: -len(dialect.prefix))
        self._otherwise = otherwise

    def of(self, path: str) -> Dialect:
        """Return the dialect of a path."""
        return next((dialect for dialect in self._dialects if dialect.covers(path)), self._otherwise)

    def install(self, app: FastAPI) -> None:
        """Have the app answer every exception in the dialect of the path that was asked."""

        async def answer(request: Request, error: Exception) -> Response:
            return self.of(request.scope["path"]).write_failure(failure_of(error, request.scope))

        for kind in HANDLED:
            app.add_exception_handler(kind, answer)
