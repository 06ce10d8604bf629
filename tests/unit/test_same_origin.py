"""The door before Prefect's app: strange hosts and pages of other origins are refused, the UI keeps to its origin."""

import httpx
import pytest
from starlette.applications import Starlette
from starlette.middleware.cors import CORSMiddleware
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route, WebSocketRoute
from starlette.types import ASGIApp, Message
from starlette.websockets import WebSocket

from deployments.same_origin import SameOrigin

pytestmark = pytest.mark.anyio
OWN = "127.0.0.1:4200"


async def answer(_: Request) -> Response:
    return Response("here")


async def echo(websocket: WebSocket) -> None:
    await websocket.accept()
    await websocket.send_text("here")
    await websocket.close()


def app(*hosts: str) -> ASGIApp:
    routes = [
        Route("/api/work_pools/octavo", answer, methods=["GET", "DELETE", "OPTIONS"]),
        Route("/api/health", answer),
        WebSocketRoute("/api/events/in", echo),
    ]
    prefect = Starlette(routes=routes)
    # As Prefect itself answers every page.
    prefect.add_middleware(CORSMiddleware, allow_origins=["*"], allow_methods=["*"], allow_headers=["*"])
    return SameOrigin(prefect, hosts=hosts)


def client(*hosts: str) -> httpx.AsyncClient:
    return httpx.AsyncClient(transport=httpx.ASGITransport(app(*hosts)), base_url=f"http://{OWN}")


async def websocket_messages(**headers: str) -> list[str]:
    """Return the types of the messages with which a websocket is answered."""
    sent: list[str] = []

    async def receive() -> Message:
        return {"type": "websocket.connect"}

    async def send(message: Message) -> None:
        sent.append(message["type"])

    fields = [(name.lower().encode(), value.encode()) for name, value in headers.items()]
    scope = {"type": "websocket", "path": "/api/events/in", "headers": fields, "subprotocols": []}
    await app()(scope, receive, send)
    return sent


@pytest.mark.parametrize(
    "headers",
    [
        {"Host": "evil.example"},
        {"Host": "127.0.0.1.evil.example:4200"},
        {"Host": ""},
        {"Host": "[::1"},
        {"Origin": "https://evil.example"},
        {"Origin": "http://127.0.0.1:8000"},
        {"Origin": "http://127.0.0.1"},
        {"Origin": "null"},
        {"Origin": f"http://{OWN}.evil.example"},
        {"Host": "localhost:4200", "Origin": f"http://{OWN}"},
        {"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "no-cors"},
        {"Sec-Fetch-Site": "same-site", "Sec-Fetch-Mode": "cors"},
    ],
)
@pytest.mark.parametrize("method", ["GET", "DELETE", "OPTIONS"])
async def test_strange_hosts_and_pages_of_other_origins_are_refused(headers: dict[str, str], method: str) -> None:
    async with client() as http:
        found = await http.request(method, "/api/work_pools/octavo", headers=headers)
    assert found.status_code == 403
    assert not [name for name in found.headers if name.startswith("access-control")]


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"Origin": f"http://{OWN}"},
        {"Host": "localhost:9999", "Origin": "http://localhost:9999"},
        {"Host": "[::1]:4200", "Origin": "http://[::1]:4200"},
        {"Host": "LOCALHOST:4200"},
        {"Sec-Fetch-Site": "same-origin", "Sec-Fetch-Mode": "cors"},
        {"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "navigate"},
        {"Sec-Fetch-Site": "none", "Sec-Fetch-Mode": "navigate"},
    ],
)
async def test_the_server_s_own_pages_clients_and_links_pass_and_nothing_is_shared(headers: dict[str, str]) -> None:
    async with client() as http:
        found = await http.get("/api/work_pools/octavo", headers=headers)
    assert (found.status_code, found.text) == (200, "here")
    assert not [name for name in found.headers if name.startswith("access-control")]


async def test_a_host_that_was_named_is_known_under_any_port_with_its_own_pages() -> None:
    async with client("prefect", "prefect.example") as http:
        for headers, status in (
            ({"Host": "prefect:4200"}, 200),
            ({"Host": "prefect.example", "Origin": "https://prefect.example"}, 200),
            ({"Host": "prefect.example", "Origin": "https://evil.example"}, 403),
            ({"Host": "evil.prefect.example"}, 403),
        ):
            found = await http.get("/api/work_pools/octavo", headers=headers)
            assert found.status_code == status, headers


async def test_a_probe_is_answered_under_any_host_and_nothing_else_is() -> None:
    async with client() as http:
        assert (await http.get("/api/health", headers={"Host": "10.0.0.7:4200"})).status_code == 200
        assert (await http.post("/api/health", headers={"Host": "10.0.0.7:4200"})).status_code == 403


@pytest.mark.parametrize(
    "headers",
    [{"Host": "evil.example"}, {"Host": OWN, "Origin": "https://evil.example"}, {"Host": OWN, "Origin": "null"}],
)
async def test_a_websocket_of_another_page_is_refused_before_it_is_accepted(headers: dict[str, str]) -> None:
    assert await websocket_messages(**headers) == ["websocket.close"]


@pytest.mark.parametrize("headers", [{"Host": OWN}, {"Host": OWN, "Origin": f"http://{OWN}"}])
async def test_a_websocket_of_a_client_or_of_an_own_page_is_passed_on(headers: dict[str, str]) -> None:
    assert await websocket_messages(**headers) == ["websocket.accept", "websocket.send", "websocket.close"]


async def test_every_answer_says_what_its_page_may_speak_to() -> None:
    async with client() as http:
        policy = (await http.get("/api/work_pools/octavo")).headers["content-security-policy"]
    fields = dict(field.strip().split(" ", 1) for field in policy.split(";"))
    assert fields["default-src"] == "'self'"
    assert fields["connect-src"] == f"'self' ws://{OWN} wss://{OWN}"
    assert fields["frame-ancestors"] == "'none'"
    assert not any("http:" in given or "*" in given for given in fields.values())
