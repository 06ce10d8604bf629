"""A kernel that offers no Landlock: what `sandbox.require` makes of it. The kernel is this one, told to refuse."""

import json
import subprocess
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="elsewhere there are no walls to miss")

REFUSED = """
import ctypes, os
from octavo.engines.sandbox import landlock, seccomp
libc = ctypes.CDLL(None, use_errno=True)
seccomp.REFUSED = {}
seccomp.REFUSED["landlock_create_ruleset"] = (landlock._CREATE_RULESET, landlock._CREATE_RULESET)
seccomp.forbid_new_privileges(libc)
seccomp.install_filter(libc)
"""
READER = """
import json, sys
from pathlib import Path
from octavo.engines.contract import Limits, Source
from octavo.engines.registry import TEST_ENGINES, EngineRegistry
from octavo.errors import OctavoError
from octavo.extraction.extractor import Extractor
from octavo.parse_options import ParseOptions
registry = EngineRegistry(TEST_ENGINES)
with Extractor(processes=1, limits=Limits(), registry=registry, sandbox_require=sys.argv[1]) as extractor:
    try:
        document = extractor.extract(Source(Path(sys.argv[2])), ParseOptions(engine="failing")).document
        print(json.dumps([document.blocks[0].text, extractor.protection]))
    except OctavoError as error:
        print(json.dumps([error.code, error.message]))
"""
WORKER = """
import asyncio
from deployments.worker.warm import OctavoWorker
from octavo.errors import OctavoError
worker = OctavoWorker(work_pool_name="octavo", name="without-walls")
try:
    asyncio.run(worker.setup())
except OctavoError as error:
    print(error.code, error.message)
"""


def run(script: str, *arguments: str, **environment: str) -> str:
    """Return what a script prints on a kernel without Landlock."""
    environment = {"PATH": "/usr/bin:/bin", "HOME": "/nonexistent", **environment}
    ended = subprocess.run(
        [sys.executable, "-c", REFUSED + script, *arguments],
        capture_output=True,
        text=True,
        env=environment,
        timeout=240,
        check=True,
    )
    return ended.stdout.strip()


@pytest.fixture
def document(tmp_path: Path) -> str:
    path = tmp_path / "document"
    path.write_text("network")
    return str(path)


def test_no_document_is_read_where_the_kernel_offers_no_landlock(document: str) -> None:
    code, message = json.loads(run(READER, "all", document))
    assert code == "sandbox_unavailable"
    assert "the kernel offers no Landlock" in message


def test_with_require_none_the_other_walls_are_up_all_the_same(document: str) -> None:
    text, protection = json.loads(run(READER, "none", document))
    assert text == "refused: Permission denied", "there is no network without Landlock, either"
    assert protection == ["limits", "no_new_privileges", "capabilities", "seccomp"]


@pytest.fixture
def asked() -> Iterator[tuple[str, list[str]]]:
    """The address of an API that welcomes nobody, and the paths it is asked for."""
    paths: list[str] = []

    class Answer(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            paths.append(self.path)
            self.send_error(404)

        def log_message(self, *_: object) -> None:
            pass

    with HTTPServer(("127.0.0.1", 0), Answer) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}", paths
        server.shutdown()
        thread.join()


def test_a_worker_without_walls_says_no_hello(asked: tuple[str, list[str]], tmp_path: Path) -> None:
    url, paths = asked
    environment = {
        "OCTAVO_DATA": str(tmp_path),
        "OCTAVO_WORKER__API_URL": url,
        "OCTAVO_WORKER__TOKEN": "token",
        "PREFECT_HOME": str(tmp_path / "prefect"),
        "PREFECT_API_URL": f"{url}/api",
    }
    assert "sandbox_unavailable" in run(WORKER, **environment)
    assert "/internal/workers/hello" not in paths
