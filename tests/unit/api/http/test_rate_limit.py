"""The rate limit: so many submissions in any minute, for each key and route; every answer says where the key stands."""

import re
from dataclasses import replace
from types import SimpleNamespace

import httpx
import pytest

from api.http import auth
from api.http.submission_rates import SubmissionRates
from octavo.ledger.contract import Ledger
from octavo.objects.memory import MemoryObjects
from tests.unit.api.service import Api, MovableClock, make_service, settings

pytestmark = pytest.mark.anyio
LIMIT = 3
FILE = {"size_bytes": 5}


class Time:
    """The clock of the counts."""

    def __init__(self) -> None:
        self.seconds = 1_000.0

    def time(self) -> float:
        return self.seconds


@pytest.fixture
def clock_of_counts(monkeypatch: pytest.MonkeyPatch) -> Time:
    found = Time()
    for place in ("limits.storage.memory.time", "api.http.submission_rates.time"):
        monkeypatch.setattr(place, SimpleNamespace(time=found.time))
    return found


@pytest.fixture
async def limited(
    anyio_backend: str,
    ledger: Ledger,
    clock: MovableClock,
    clock_of_counts: Time,
    tmp_path_factory: pytest.TempPathFactory,
) -> Api:
    given = settings(tmp_path_factory.mktemp("data"), limits={"submissions_per_minute": LIMIT})
    objects = MemoryObjects()
    return Api.make(make_service(given, ledger, objects), objects, clock)


def standing(answer: httpx.Response) -> tuple[int, int, int]:
    """Return limit, what is left, and the seconds; the fields have the draft's form."""
    policy = re.fullmatch(r'"submissions";q=(\d+);w=60', answer.headers["RateLimit-Policy"])
    left = re.fullmatch(r'"submissions";r=(\d+);t=(\d+)', answer.headers["RateLimit"])
    assert policy is not None
    assert left is not None
    return int(policy[1]), int(left[1]), int(left[2])


async def stage(api: Api, client: httpx.AsyncClient | None = None) -> httpx.Response:
    return await (client or api.http).post("/v1/files", json=FILE)


async def test_the_submission_after_the_last_one_is_refused_until_the_first_is_a_minute_old(
    limited: Api, clock_of_counts: Time
) -> None:
    for left in (2, 1, 0):
        answer = await stage(limited)
        assert (answer.status_code, standing(answer)[:2]) == (200, (LIMIT, left))
        clock_of_counts.seconds += 10
    refused = await stage(limited)
    assert refused.status_code == 429
    assert refused.json()["error"] == "rate_limited"
    assert refused.json()["retry_after_seconds"] == 30
    assert refused.headers["Retry-After"] == "30"
    assert standing(refused) == (LIMIT, 0, 30)
    clock_of_counts.seconds += 29
    assert (await stage(limited)).status_code == 429
    # The window slides: one place has come free, and not three.
    clock_of_counts.seconds += 1.001
    assert (await stage(limited)).status_code == 200
    assert (await stage(limited)).status_code == 429


async def test_what_was_refused_does_not_count(limited: Api, clock_of_counts: Time) -> None:
    statuses = [(await stage(limited)).status_code for _ in range(LIMIT + 50)]
    assert statuses == [200] * LIMIT + [429] * 50
    clock_of_counts.seconds += 60.001
    assert standing(await stage(limited))[1] == LIMIT - 1


async def test_each_route_and_each_key_has_its_own_count(limited: Api) -> None:
    for _ in range(LIMIT):
        await stage(limited)
    assert (await stage(limited)).status_code == 429
    assert (await limited.submit(["file_x"])).status_code == 404
    secret, prefix, digest = auth.new_secret()
    limited.ledger.accounts.add_key(limited.customer.customer_id, prefix=prefix, digest=digest)
    assert (await stage(limited, limited.client(X_API_KEY=secret))).status_code == 200


async def test_calls_of_the_sync_lane_are_counted_before_their_bodies_are_read(limited: Api) -> None:
    address = {"json": {"url": "http://127.0.0.1/x.pdf"}}
    for path, body in (("/v1/extract", address), ("/v1/extract/file", {"content": b"no form"})):
        for left in (2, 1, 0):
            answer = await limited.http.post(path, **body)
            assert (answer.status_code, standing(answer)[1]) == (422, left)
        refused = await limited.http.post(path, **body)
        assert (refused.status_code, refused.json()["error"]) == (429, "rate_limited")


async def test_retries_are_counted_for_all_batches_together(limited: Api) -> None:
    for left in (2, 1, 0):
        answer = await limited.http.post(f"/v1/batches/batch_{left}/retry_failed")
        assert (answer.status_code, standing(answer)[1]) == (404, left)
    refused = await limited.http.post("/v1/batches/batch_x/retry_failed")
    assert (refused.status_code, refused.json()["error"]) == (429, "rate_limited")


async def test_routes_that_submit_nothing_are_not_counted(limited: Api) -> None:
    file_id = (await stage(limited)).json()["id"]
    for path in ("/v1/batches", f"/v1/files/{file_id}"):
        for _ in range(LIMIT + 2):
            answer = await limited.http.get(path)
            assert answer.status_code == 200
            assert "RateLimit" not in answer.headers


@pytest.mark.parametrize(
    ("content", "status"),
    [(b"{", 422), (b"{}", 422), (b'{"source": {"file_ids": ["file_x"]}}', 404), (b"\xff", 422)],
)
async def test_a_refused_body_counts_and_says_where_the_key_stands(limited: Api, content: bytes, status: int) -> None:
    for left in (2, 1, 0):
        answer = await limited.http.post("/v1/batches", content=content, headers={"Content-Type": "application/json"})
        assert (answer.status_code, standing(answer)[1]) == (status, left)
    # The limit comes before the body is judged.
    again = await limited.http.post("/v1/batches", content=content, headers={"Content-Type": "application/json"})
    assert again.status_code == 429


async def test_a_file_over_the_cap_counts_too(limited: Api) -> None:
    answer = await limited.http.post("/v1/files", json={"size_bytes": 10**10})
    assert (answer.status_code, standing(answer)[1]) == (413, 2)


async def test_a_conflict_and_a_replay_count_like_any_other(limited: Api) -> None:
    file_id = (await stage(limited)).json()["id"]
    assert standing(await limited.submit([file_id]))[1] == 2
    limited.ledger.files.mark_ready([file_id])
    for left in (1, 0):
        answer = await limited.http.post(
            "/v1/batches", json={"source": {"file_ids": [file_id]}}, headers={"Idempotency-Key": "k"}
        )
        assert (answer.status_code, standing(answer)[1]) == (200, left)
    replay = await limited.http.post(
        "/v1/batches", json={"source": {"file_ids": [file_id]}}, headers={"Idempotency-Key": "k"}
    )
    assert replay.status_code == 429


async def test_the_key_comes_first(limited: Api) -> None:
    for _ in range(LIMIT + 2):
        answer = await stage(limited, limited.client(X_API_KEY="wrong"))
        assert answer.status_code == 401
        assert "RateLimit" not in answer.headers


async def test_a_body_that_is_no_json_is_not_looked_at_before_its_sender(limited: Api) -> None:
    answer = await limited.client().post("/v1/files", content=b"{", headers={"Content-Type": "application/json"})
    assert answer.status_code == 401


def test_counts_are_per_minute_and_start_anew_with_another_limit(clock_of_counts: Time) -> None:
    rates = SubmissionRates()
    taken = [rates.count("key", "route", 60).is_taken for _ in range(61)]
    assert taken == [True] * 60 + [False]
    assert rates.count("key", "route", 120).left == 119
    assert replace(rates.count("key", "route", 60), is_taken=True).left == 0


async def test_a_clock_that_is_set_back_locks_nobody_out(limited: Api, clock_of_counts: Time) -> None:
    for _ in range(LIMIT):
        assert (await limited.http.post("/v1/files", json=FILE)).status_code == 200
    assert (await limited.http.post("/v1/files", json=FILE)).status_code == 429
    clock_of_counts.seconds -= 3600.0
    assert (await limited.http.post("/v1/files", json=FILE)).status_code == 200
    clock_of_counts.seconds += 7200.0
    assert (await limited.http.post("/v1/files", json=FILE)).status_code == 200
