"""The embedded Prefect server as a browser meets it: it is signed in to, and no page of it speaks to anybody else."""

import asyncio
import contextlib
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import httpx
import pytest
from playwright.sync_api import Page, expect
from websockets.asyncio.client import connect
from websockets.exceptions import InvalidStatus

from tests.acceptance.stack import PATIENCE, Stack, run_octavo
from tests.browser import browser

SECONDS = 15.0
"""In which a page of a quiet machine is drawn."""
EVIL = "https://evil.example"


@pytest.fixture
def page() -> Iterator[Page]:
    with browser() as found:
        page = found.new_context().new_page()
        page.set_default_timeout(PATIENCE * SECONDS * 1000)
        expect.set_options(timeout=PATIENCE * SECONDS * 1000)
        yield page


@contextlib.contextmanager
def nothing_leaves(page: Page, origin: str) -> Iterator[None]:
    """Fail when the page has made a request to another origin, or has opened a websocket to one."""
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    page.on("websocket", lambda socket: asked.append(socket.url.replace("ws", "http", 1)))
    yield
    assert len(asked) > 20, "the page was loaded"
    assert [url for url in asked if not url.removeprefix("blob:").startswith((origin, "data:"))] == []


def sign_in(page: Page, login: str) -> None:
    page.get_by_placeholder("admin:pass").fill(login)
    page.get_by_role("button", name="Login").click()


def test_every_page_we_link_to_works_behind_the_login_and_speaks_to_nobody_else(
    stack: Stack, page: Page, tmp_path: Path
) -> None:
    with stack.customer("seen") as client:
        batch = stack.submit_sleeping(client, tmp_path, items=1, seconds=0)
        batch.wait_until_ended()
    stack.wait_until_prefect_shows_the_end(batch.batch_id)
    (run,) = stack.flow_runs(batch.batch_id)
    access = stack.prefect_access
    assert access.login is not None
    with nothing_leaves(page, access.ui_url):
        page.goto(access.ui_url)
        sign_in(page, f"{access.login}x")
        expect(page.get_by_placeholder("admin:pass")).to_be_visible()
        sign_in(page, access.login)
        expect(page.get_by_text("Active Work Pools")).to_be_visible()
        page.goto(f"{access.ui_url}/v2/deployments")
        expect(page.get_by_text("deliver-webhooks").first).to_be_visible()
        page.goto(f"{access.ui_url}/v2/runs/flow-run/{run['id']}")
        expect(page.get_by_text(run["name"]).first).to_be_visible()
        # Log lines come by HTTP, task runs by the websocket of events: both with the login.
        expect(page.get_by_text("Finished in state Completed").first).to_be_visible()
        expect(page.get_by_text("1 Task run").first).to_be_visible()
        # The graph of the run, whose library would end with an error under a policy without `eval`.
        expect(page.locator("canvas").first).to_be_visible()
        # The older interface, which the newer one offers.
        page.goto(f"{access.ui_url}/runs/flow-run/{run['id']}")
        expect(page.get_by_text(run["name"]).first).to_be_visible()
        expect(page.get_by_text("Finished in state Completed").first).to_be_visible()


@pytest.mark.parametrize(
    "headers", [{"Origin": EVIL}, {"Host": "evil.example"}, {"Origin": "null"}, {"Origin": "http://127.0.0.1:1"}]
)
def test_a_page_of_another_origin_is_refused_even_with_the_login(stack: Stack, headers: dict[str, str]) -> None:
    access = stack.prefect_access
    for method, path in (("DELETE", "/work_pools/octavo"), ("OPTIONS", "/work_pools/octavo"), ("GET", "/variables/")):
        url = f"{access.api_url}{path}"
        answer = httpx.request(method, url, headers={**access.headers, **headers}, trust_env=False)
        assert answer.status_code == 403
        assert "access-control-allow-origin" not in answer.headers
    assert stack.prefect("GET", "/work_pools/octavo")["name"] == "octavo"


def test_nothing_is_given_or_changed_without_the_login(stack: Stack) -> None:
    access = stack.prefect_access
    for headers in ({}, {"Authorization": "Basic b2N0YXZvOm5v"}, {"Authorization": "Bearer x"}):
        for method, path in (("DELETE", "/work_pools/octavo"), ("POST", "/flow_runs/filter"), ("GET", "/version")):
            answer = httpx.request(method, f"{access.api_url}{path}", headers=headers, trust_env=False)
            assert answer.status_code == 401
    assert httpx.get(f"{access.api_url}/health", trust_env=False).json() is True


@pytest.mark.parametrize("path", ["/events/in", "/events/out"])
def test_a_websocket_of_another_page_is_refused(stack: Stack, path: str) -> None:
    url = stack.prefect_access.api_url.replace("http", "ws", 1) + path

    async def open_one() -> None:
        async with connect(url, origin=EVIL, subprotocols=["prefect"]):  # type: ignore[arg-type, list-item]
            pytest.fail("it was opened")

    with pytest.raises(InvalidStatus) as refused:
        asyncio.run(open_one())
    assert refused.value.response.status_code == 403


def test_strangers_are_not_told_where_prefect_is(stack: Stack) -> None:
    port = f":{urlsplit(stack.prefect_access.api_url).port}"
    for path in ("/", "/health", "/openapi.json"):
        assert port not in httpx.get(f"{stack.url}{path}", trust_env=False).text


def test_the_operator_is_told_where_prefect_is_and_how_one_signs_in(stack: Stack) -> None:
    access, login_file = stack.prefect_access, stack.data / "secrets" / "prefect_login"
    assert f"Prefect UI {access.ui_url}" in stack.terminal
    assert f"cat {login_file}" in stack.terminal
    assert access.login == login_file.read_text()
    assert access.login not in stack.terminal
    assert login_file.stat().st_mode & 0o777 == 0o600
    told = run_octavo("doctor", "--data", str(stack.data), "--json")
    assert told.returncode == 0, told.stderr
    found = httpx.Response(200, text=told.stdout).json()
    assert found["ok"] is True
    assert found["prefect"] == {
        "api_url": access.api_url,
        "ui_url": access.ui_url,
        "authorization": access.authorization,
    }
    headers = {"Authorization": found["prefect"]["authorization"]}
    answer = httpx.get(f"{found['prefect']['api_url']}/version", headers=headers, trust_env=False)
    assert answer.status_code == 200
