"""`/v1/results/{id}/images/{n}`: figures that have an address of their own."""

from dataclasses import replace
from datetime import timedelta

import pytest

from octavo.identifiers import ResultId
from octavo.objects import keys
from tests.unit.api.service import Api, succeeded

pytestmark = pytest.mark.anyio
RESULT, OTHER = ResultId("res_1"), ResultId("res_other")
RETENTION = timedelta(hours=72)
IMAGE = b"the bytes of a figure"
PATH = f"/v1/results/{RESULT}/images/0"


async def with_image(api: Api, result_id: ResultId = RESULT) -> None:
    """End an item whose result has one figure."""
    batch_id = await api.batch()
    api.finish_all(batch_id, replace(succeeded(), result_id=result_id))
    api.objects.write(keys.result_image_key(api.customer.customer_id, result_id, 0), IMAGE, "image/png")


async def test_a_figure_is_a_redirect_that_lives_five_minutes(api: Api) -> None:
    await with_image(api)
    answer = await api.http.get(PATH)
    assert (answer.status_code, answer.headers["cache-control"]) == (302, "no-store")
    assert api.objects.get_through(answer.headers["location"]).body == IMAGE


@pytest.mark.parametrize("ledger", ["memory", "duckdb"], indirect=True)
async def test_a_figure_is_gone_from_the_very_second_its_result_expires(api: Api) -> None:
    # The item completed by a clock that lags: seconds, not three days, before its retention ends.
    api.clock.shift = -RETENTION
    await with_image(api)
    answer = await api.http.get(PATH)
    assert (answer.status_code, answer.json()["error"]) == (410, "result_expired")
    api.clock.shift = -(RETENTION - timedelta(seconds=60))
    await with_image(api, OTHER)
    assert (await api.http.get(f"/v1/results/{OTHER}/images/0")).status_code == 302


async def test_a_figure_of_another_customer_is_not_there(api: Api) -> None:
    await with_image(api)
    answer = await api.stranger().get(PATH)
    assert (answer.status_code, answer.json()["error"]) == (404, "item_not_found")


@pytest.mark.parametrize(
    "path", [f"/v1/results/{RESULT}/images/1", "/v1/results/res_2/images/0", "/v1/results/../images/0"]
)
async def test_what_was_never_there_is_not_found(api: Api, path: str) -> None:
    await with_image(api)
    assert (await api.http.get(path)).status_code == 404


@pytest.mark.parametrize("number", ["-1", "99999999999999999999", "%00", "x"])
async def test_a_number_that_makes_no_sense_is_refused(api: Api, number: str) -> None:
    await with_image(api)
    answer = await api.http.get(f"/v1/results/{RESULT}/images/{number}")
    assert answer.status_code in (404, 422)
    assert "error" in answer.json() or "detail" in answer.json()
