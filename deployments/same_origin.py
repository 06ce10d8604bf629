"""The door before Prefect's app: only pages of the server itself may speak to it, and they speak to nobody else.

Prefect answers every page of a browser (CORS `*`) under every host name, so any site its operator visits could drive
it. Here a request for a strange host (a name that was made to point here) or from a page of another origin is refused,
over HTTP and as a websocket, and every answer carries a content security policy that keeps the UI to its own origin:
it would otherwise report to an analytics service, which no setting of the server prevents. Seen with 3.9.1.
"""

from collections.abc import Collection
from urllib.parse import urlsplit

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

LOOPBACK_HOSTS = frozenset({"127.0.0.1", "localhost", "::1"})
PROBES = frozenset({"/api/health", "/api/ready"})
"""Answered under any host: a probe of Kubernetes asks by the pod's address, and learns `true`."""
REFUSED_WEBSOCKET = {"type": "websocket.close", "code": 1008}
CORS_FIELDS = (
    "access-control-allow-origin",
    "access-control-allow-methods",
    "access-control-allow-headers",
    "access-control-allow-credentials",
)
POLICY = (
    "default-src 'self'; connect-src 'self' ws://{host} wss://{host}; script-src 'self' 'unsafe-eval'; "
    "worker-src 'self' blob:; style-src 'self' 'unsafe-inline'; img-src 'self' data: blob:; font-src 'self' data:; "
    "object-src 'none'; base-uri 'self'; form-action 'self'; frame-ancestors 'none'"
)
"""`unsafe-eval` and workers from blobs: the graph of a flow run compiles its shaders and lays itself out with them; in
both interfaces it ends with an error without."""


class SameOrigin:
    """ASGI middleware: refuses other hosts and other origins, and writes the content security policy."""

    def __init__(self, app: ASGIApp, *, hosts: Collection[str] = ()) -> None:
        """`hosts` are names under which the server is known besides those of loopback, without ports."""
        self._app = app
        self._hosts = LOOPBACK_HOSTS | {host.lower() for host in hosts}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Refuse with 403, or pass the request on."""
        if scope["type"] not in ("http", "websocket"):
            await self._app(scope, receive, send)
            return
        headers = Headers(scope=scope)
        host = headers.get("host", "")
        trouble = None if _is_probe(scope) else self._trouble(headers, host)
        if trouble is None:
            await self._app(scope, receive, _closed(send, host))
        elif scope["type"] == "websocket":
            await send(REFUSED_WEBSOCKET)
        else:
            await JSONResponse({"exception_message": trouble}, status_code=403)(scope, receive, send)

    def _trouble(self, headers: Headers, host: str) -> str | None:
        if _name(host) not in self._hosts:
            return "This server is not known under that host."
        origin = headers.get("origin")
        if origin is not None and urlsplit(origin).netloc.lower() != host.lower():
            return "Pages of other origins may not use this server."
        # A page that loads an image or a script from here sends no Origin. Links from elsewhere are followed.
        is_foreign = headers.get("sec-fetch-site") in ("cross-site", "same-site")
        if is_foreign and headers.get("sec-fetch-mode") != "navigate":
            return "Pages of other origins may not use this server."
        return None


def _is_probe(scope: Scope) -> bool:
    return scope["type"] == "http" and scope["method"] in ("GET", "HEAD") and scope["path"] in PROBES


def _name(host: str) -> str:
    """Return the host's name without its port; empty where it is none."""
    try:
        return urlsplit(f"//{host}").hostname or ""
    except ValueError:
        return ""


def _closed(send: Send, host: str) -> Send:
    """Return a sender that removes Prefect's CORS fields and adds the policy."""

    async def send_closed(message: Message) -> None:
        if message["type"] == "http.response.start":
            headers = MutableHeaders(scope=message)
            for field in CORS_FIELDS:
                del headers[field]
            headers["content-security-policy"] = POLICY.format(host=host)
            headers["referrer-policy"] = "no-referrer"
            headers["x-content-type-options"] = "nosniff"
        await send(message)

    return send_closed
