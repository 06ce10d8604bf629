"""Debian's nginx with the servers of the documented recipe, on free ports of loopback."""

import contextlib
import os
import re
import shutil
import subprocess
from collections.abc import Iterator, Mapping
from pathlib import Path

import httpx

from octavo.directory import free_port
from tests.unit.api.serving import until

RECIPE = Path(__file__).resolve().parent.parent / "docs" / "howto" / "run-on-a-server.md"
FRAME = """
daemon off;
pid {folder}/pid;
error_log {folder}/error.log;
{user}
events {{ }}
http {{
    access_log off;
    client_body_temp_path {folder}/body;
    proxy_temp_path {folder}/proxy;
    fastcgi_temp_path {folder}/fastcgi;
    uwsgi_temp_path {folder}/uwsgi;
    scgi_temp_path {folder}/scgi;
{servers}
}}
"""


def program() -> str:
    """Return where nginx is; `make setup-test` installs it."""
    found = shutil.which("nginx", path=f"{os.environ.get('PATH', '')}:/usr/sbin")
    assert found is not None, "nginx is not installed: make setup-test"
    return found


def recipe() -> str:
    """Return the servers as documented."""
    found = re.search(r"^```nginx\n(.*?)^```", RECIPE.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL)
    assert found is not None
    return found[1]


@contextlib.contextmanager
def running(folder: Path, upstreams: Mapping[int, int]) -> Iterator[str]:
    """Run the recipe without TLS in front of these ports in place of the documented ones; yields its address."""
    port = free_port()
    servers = recipe().replace("listen 443 ssl;", f"listen 127.0.0.1:{port};")
    for documented, real in upstreams.items():
        assert f"127.0.0.1:{documented};" in servers
        servers = servers.replace(f"127.0.0.1:{documented};", f"127.0.0.1:{real};")
    settings = folder / "nginx.conf"
    user = "user root root;" if os.geteuid() == 0 else ""
    settings.write_text(FRAME.format(folder=folder, user=user, servers=servers))
    with subprocess.Popen([program(), "-p", str(folder), "-c", str(settings), "-e", "stderr"]) as process:
        url = f"http://127.0.0.1:{port}"
        try:
            until(lambda: process.poll() is not None or _answers(url), "nginx answers")
            assert process.poll() is None
            yield url
        finally:
            process.terminate()


def _answers(url: str) -> bool:
    with contextlib.suppress(httpx.TransportError):
        return httpx.get(url, headers={"Host": "octavo.example"}, trust_env=False).status_code > 0
    return False
