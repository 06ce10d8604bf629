"""A server that violates the contract is reported, whatever it answers."""

import http.server
import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest
from typer.testing import CliRunner

from octavo.cli.app import app
from octavo.conformance import CheckStatus, markdown, run
from octavo.conformance.contract import CHECKS, a_pdf
from octavo.engines.contract import Limits, Source
from octavo.engines.registry import EngineRegistry
from octavo.parse_options import ParseOptions

Answer = Callable[[str, str], tuple[int, object]]


@contextmanager
def a_server(answer: Answer) -> Iterator[str]:
    class Handler(http.server.BaseHTTPRequestHandler):
        def _any(self) -> None:
            self.rfile.read(int(self.headers.get("Content-Length", "0")))
            status, told = answer(self.command, self.path)
            data = json.dumps(told).encode()
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

        do_GET = do_POST = do_PUT = _any

        def log_message(self, format: str, *args: object) -> None:
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()
    thread.join()


@pytest.mark.parametrize(
    "told", [{}, [], "text", None, {"object": "list", "data": [{}], "items": [{}], "upload": {}, "detail": [{}]}]
)
def test_a_server_that_says_yes_to_everything_keeps_nothing(told: object) -> None:
    with a_server(lambda _, __: (200, told)) as url:
        found = run(CHECKS, url, "key", other_key="other")
    contract = [one for one in found if not one.is_extension]
    assert [one.claim for one in contract if one.verdict is CheckStatus.PASSED] == []
    assert len(found) == len(CHECKS)


def test_one_planted_fault_is_one_failed_claim() -> None:
    def refuses_no_key(_: str, path: str) -> tuple[int, object]:
        return (200, {"data": []}) if path == "/v1/batches" else (503, {"error": "busy"})

    with a_server(refuses_no_key) as url:
        found = {one.claim: one for one in run(CHECKS, url, "key")}
    assert found["a wrong key is refused"].verdict is CheckStatus.FAILED
    assert found["another customer's batch is one that does not exist"].verdict is CheckStatus.SKIPPED


def test_the_command_writes_the_report_and_fails(tmp_path_factory: pytest.TempPathFactory) -> None:
    page = tmp_path_factory.mktemp("report") / "report.md"
    with a_server(lambda _, __: (401, {"error": "invalid_api_key"})) as url:
        ended = CliRunner().invoke(app, ["conformance", url, "key", "--out", str(page)])
    assert ended.exit_code == 1
    report = page.read_text(encoding="utf-8")
    assert "| 2.0 | a wrong key is refused | passed | 401" in report
    assert "| 2.5 | staging a file gives an id and a presigned upload | failed | POST /v1/files: 401" in report


def test_a_cell_of_the_report_is_one_line_without_bars() -> None:
    with a_server(lambda _, __: (200, {"a|b": "x\ny" * 300})) as url:
        report = markdown(run(CHECKS[:2], url, "key"), of="It", date="2026-11-25")
    rows = [line for line in report.splitlines() if line.startswith("| 2.")]
    assert len(rows) == 2
    assert all(row.replace("\\|", "").count("|") == 5 for row in rows)


def test_the_pdf_of_the_checks_can_be_read(tmp_path_factory: pytest.TempPathFactory) -> None:
    folder = tmp_path_factory.mktemp("pdf")
    (folder / "check.pdf").write_bytes(a_pdf("Read me."))

    class Silent:
        def counted(self, pages: int) -> None:
            pass

        def working(self, pages: int) -> None:
            pass

    engine = EngineRegistry.installed().resolve("fast")
    read = engine.extract(Source(folder / "check.pdf"), ParseOptions(engine="fast"), Limits(), Silent(), folder)
    assert [block.text for block in read.document.blocks] == ["Read me."]
