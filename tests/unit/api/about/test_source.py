"""What the licence promises: whoever uses the service is shown the way to its source, and gets it."""

import io
import re
import tarfile
from pathlib import Path

import pytest

from api.about.source import ROOT, archive
from octavo.ledger.duckdb import memory_ledger
from octavo.objects.memory import MemoryObjects
from tests.unit.api.service import Api, MovableClock, client_of, make_service, settings

pytestmark = pytest.mark.anyio


def names(content: bytes) -> set[str]:
    with tarfile.open(fileobj=io.BytesIO(content)) as tar:
        return {name.partition("/")[2] for name in tar.getnames()}


async def test_the_source_of_the_running_service_is_given_to_everybody(api: Api) -> None:
    answer = await api.client().get("/source")
    assert answer.status_code == 200
    assert answer.headers["content-type"] == "application/gzip"
    found = names(answer.content)
    assert {"LICENSE", "pyproject.toml", "requirements.lock", "api/about/source.py", "octavo/errors.py"} <= found
    with tarfile.open(fileobj=io.BytesIO(answer.content)) as tar:
        member = next(one for one in tar.getmembers() if one.name.endswith("/api/about/source.py"))
        given = tar.extractfile(member)
        assert given is not None
        assert given.read() == (ROOT / "api" / "about" / "source.py").read_bytes()


async def test_every_module_that_runs_is_in_the_source(api: Api) -> None:
    found = names((await api.client().get("/source")).content)
    rooms = ("api", "octavo", "flows", "tasks", "deployments")
    modules = {str(path.relative_to(ROOT)) for room in rooms for path in (ROOT / room).rglob("*.py")}
    queries = {str(path.relative_to(ROOT)) for path in (ROOT / "octavo").rglob("*.sql")}
    assert modules | queries <= found


async def test_no_data_and_no_secret_is_in_the_source(tmp_path: Path) -> None:
    for name, content in {
        "api/app.py": "code",
        "api/notes.txt": "stray",
        "api/.hidden.py": "hidden",
        "octavo/data/octavo.toml": "secret_key = 'x'",
        "octavo/data/ledger.duckdb": "rows",
        "deployments/compose.env": "OCTAVO_STORAGE__SECRET_KEY=x",
        "deployments/kubernetes/settings.yaml": "kind: Secret",
        "deployments/compose.yaml": "services:",
        "octavo.toml": "secret",
        "pyproject.toml": "[project]",
        ".octavo/octavo.toml": "secret",
    }.items():
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content)
    (tmp_path / "api" / "link.py").symlink_to(tmp_path / "octavo.toml")
    found = names(archive(tmp_path, tmp_path / "octavo" / "data", folder="octavo-1"))
    assert found == {"api/app.py", "deployments/compose.yaml", "pyproject.toml"}


async def test_an_operator_may_publish_the_source_elsewhere(tmp_path: Path, anyio_backend: str) -> None:
    given = settings(tmp_path, api={"source_url": "https://code.example/octavo"})
    elsewhere = Api.make(make_service(given, memory_ledger(), MemoryObjects()), MemoryObjects(), MovableClock())
    answer = await elsewhere.client().get("/source")
    assert (answer.status_code, answer.headers["location"]) == (307, "https://code.example/octavo")
    await elsewhere.close()


async def test_the_way_to_the_source_is_shown_on_the_pages(api: Api) -> None:
    client = client_of(api.app, {})
    api.clients.append(client)
    assert 'href="/source"' in (await client.get("/")).text
    assert "(source)" in (await client.get("/openapi.json")).json()["info"]["description"]


async def test_pages_and_what_they_load_come_from_here_alone(api: Api) -> None:
    client = api.client()
    for page in ("/", "/docs", "/docs/oauth2-redirect"):
        text = (await client.get(page)).text
        loaded = re.findall(r"""(?:src|href)=["']([^"']+)["']""", text) + re.findall(r"url: ?['\"]([^'\"]+)", text)
        assert [one for one in loaded if "//" in one] == []
        for one in loaded:
            assert (await client.get(one)).status_code in (200, 503), one
    assert "//" not in str((await client.get("/openapi.json")).json().get("servers", ""))
