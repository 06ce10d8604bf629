"""A page of an allowed origin, in a real browser, does all that a customer does: down to the bytes of the result."""

import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Any

import pytest

from tests.acceptance.stack import Stack
from tests.browser import browser

WALK = """
async ([api, key, engine]) => {
    const headers = {"X-API-KEY": key, "Content-Type": "application/json"};
    const ask = async (path, body) => {
        const options = body ? {method: "POST", headers, body: JSON.stringify(body)} : {headers};
        return await fetch(api + path, options);
    };
    const words = "A page of words.";
    const file = await (await ask("/v1/files", {size_bytes: words.length, filename: "words.txt"})).json();
    const upload = await fetch(file.upload.url, {method: "PUT", body: words});
    const made = await (await ask("/v1/batches", {source: {file_ids: [file.id]}, engine})).json();
    let batch = made, cursor = "";
    for (let look = 0; look < 40 && !batch.completed_at; look++) {
        batch = await (await ask(`/v1/batches/${made.id}?wait=10&cursor=${cursor}`)).json();
        cursor = batch.next_cursor || cursor;
    }
    batch = await (await ask(`/v1/batches/${made.id}`)).json();
    const answer = await ask(batch.items[0].result_url);
    return {
        upload: upload.status,
        status: batch.status,
        result: answer.status,
        type: answer.headers.get("content-type"),
        wasRedirected: answer.redirected,
        body: await answer.json(),
    };
}
"""


@pytest.fixture(scope="module")
def page_url(stack: Stack) -> Iterator[str]:
    """Yield the address of an empty page of the allowed origin."""

    class Page(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.send_header("Content-Type", "text/html")
            self.end_headers()
            self.wfile.write(b"<title>A page</title>")

        def log_message(self, *_: object) -> None:
            pass

    with HTTPServer(("127.0.0.1", stack.page_port), Page) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{stack.page_port}/"
        server.shutdown()
        thread.join()


def test_a_page_of_an_allowed_origin_fetches_a_result(stack: Stack, page_url: str) -> None:
    with browser() as chromium:
        page = chromium.new_page()
        page.goto(page_url)
        found: dict[str, Any] = page.evaluate(WALK, [stack.url, stack.new_key("page"), "fast"])
    assert (found["upload"], found["status"], found["result"]) == (200, "completed", 200)
    assert found["type"] == "application/json"
    assert not found["wasRedirected"]
    assert "A page of words." in str(found["body"]["chunks"])


def test_a_page_of_another_origin_is_told_nothing(stack: Stack) -> None:
    with browser() as chromium:
        page = chromium.new_page()
        page.goto("data:text/html,<title>A page</title>")
        told = page.evaluate("url => fetch(url).then(() => 'an answer', error => String(error))", f"{stack.url}/health")
    assert "Failed to fetch" in told
