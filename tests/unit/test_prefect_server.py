"""The layer before Prefect's app: busy answers are retried, everything else passes unchanged."""

import httpx
import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import Route

from deployments.prefect_server import Patient

pytestmark = pytest.mark.anyio


class Busy(Exception):
    """What the app raises while its database is busy."""


class Prefect:
    """An app that behaves as Prefect's does: busy for some requests, and then it raises, too, after it answered."""

    def __init__(self, busy_times: int, *, is_raising: bool = True) -> None:
        self.bodies: list[bytes] = []
        self._busy_times = busy_times
        handlers = {Exception: self._on_error} if is_raising else {}
        self.app = Starlette(
            routes=[Route("/write", self._write, methods=["POST"]), Route("/missing", self._missing)],
            exception_handlers=handlers,
        )

    async def _write(self, request: Request) -> Response:
        self.bodies.append(await request.body())
        if len(self.bodies) <= self._busy_times:
            raise Busy
        return JSONResponse({"written": self.bodies[-1].decode()}, status_code=201)

    async def _missing(self, _: Request) -> Response:
        return PlainTextResponse("no", status_code=404)

    async def _on_error(self, _: Request, error: Exception) -> Response:
        return JSONResponse({}, status_code=503 if isinstance(error, Busy) else 500)


def client(prefect: Prefect, *, patience_seconds: float = 10.0) -> httpx.AsyncClient:
    app = Patient(prefect.app, patience_seconds=patience_seconds)
    return httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://prefect.invalid")


async def test_a_busy_answer_is_asked_again_until_it_is_another() -> None:
    prefect = Prefect(busy_times=3)
    async with client(prefect) as http:
        answer = await http.post("/write", content=b"all of the body")
    assert (answer.status_code, answer.json()) == (201, {"written": "all of the body"})
    assert prefect.bodies == [b"all of the body"] * 4


async def test_an_answer_that_is_not_busy_is_asked_once() -> None:
    prefect = Prefect(busy_times=0)
    async with client(prefect) as http:
        assert (await http.post("/write", content=b"x")).status_code == 201
        assert (await http.get("/missing")).status_code == 404
    assert prefect.bodies == [b"x"]


async def test_patience_ends() -> None:
    prefect = Prefect(busy_times=10**9)
    transport = httpx.ASGITransport(Patient(prefect.app, patience_seconds=0.05), raise_app_exceptions=False)
    async with httpx.AsyncClient(transport=transport, base_url="http://prefect.invalid") as http:
        answer = await http.post("/write", content=b"x")
    assert answer.status_code == 503
    assert len(prefect.bodies) > 1


async def test_other_errors_are_raised_as_before() -> None:
    prefect = Prefect(busy_times=1, is_raising=False)
    async with client(prefect) as http:
        with pytest.raises(Busy):
            await http.post("/write", content=b"x")
