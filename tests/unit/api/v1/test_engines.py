"""`GET /v1/engines`: what a batch may name."""

import pytest

from octavo.engines.registry import EngineRegistry
from tests.unit.api.service import Api

pytestmark = pytest.mark.anyio
KEYS = {"name", "version", "licence", "kind", "languages", "available", "reason"}


async def test_engines_are_listed_with_what_they_are(api: Api) -> None:
    body = (await api.http.get("/v1/engines")).json()
    assert body["object"] == "list"
    assert all(set(row) == KEYS for row in body["data"])
    found = {row["name"]: row for row in body["data"]}
    assert {"fast", "sleep", "failing"} <= set(found)
    assert list(found) == sorted(found)
    assert (found["sleep"]["kind"], found["sleep"]["available"], found["sleep"]["reason"]) == ("remote", True, None)
    assert found["fast"]["languages"] == ["eng"]


async def test_every_listed_engine_that_is_available_can_be_named(api: Api) -> None:
    for row in (await api.http.get("/v1/engines")).json()["data"]:
        if row["available"]:
            assert (await api.submit([await api.upload()], engine=row["name"])).status_code == 200


class Terse:
    """What somebody wrote who knew only the half of the contract."""

    name = "terse"
    version = "7"

    def availability(self) -> object:
        from octavo.engines.contract import AVAILABLE

        return AVAILABLE


async def test_an_engine_that_says_little_and_one_that_breaks_hide_no_other(api: Api) -> None:
    references = {
        "terse": f"{__name__}:Terse",
        "broken": "no.such.module:Engine",
        "sleep": api.service.engines.references["sleep"],
    }
    object.__setattr__(api.service, "engines", EngineRegistry(references))
    broken, sleep, terse = (await api.http.get("/v1/engines")).json()["data"]
    assert (broken["name"], broken["available"]) == ("broken", False)
    assert "no" in broken["reason"]
    assert sleep["available"]
    assert (terse["version"], terse["licence"], terse["kind"], terse["languages"]) == ("7", "unknown", "local", [])
