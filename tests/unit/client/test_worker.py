"""The routes for workers and the workers' client, over a socket: what one sends the other receives."""

import threading
import time
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC

import httpx
import pytest

from octavo.batches import BatchStatus, ItemStatus, RunStatus
from octavo.client.customer import Refused
from octavo.client.worker import WorkerClient
from octavo.client.worker_protocol import OpenRun
from octavo.directory import free_port
from octavo.errors import DOCUMENT_ERRORS, InvalidAdminToken, ServiceUnreachable, StaleLease
from octavo.identifiers import BatchId, ResultId, RunId, WorkerId
from octavo.ledger.contract import Claim, Report, ReportKind
from octavo.outcomes import Failed, Outcome, Succeeded
from tests.ledger_tables import looked_up
from tests.unit.api.service import STORAGE, WORKER_TOKEN, failed, succeeded
from tests.unit.api.serving import until
from tests.unit.client.stack import RUN, Stack


def word(claim: Claim, kind: ReportKind, outcome: Outcome | None = None, *, again: bool = False) -> Report:
    item = claim.slices[0].items[0]
    return Report(kind=kind, item_id=item.item_id, lease_no=item.lease_no, outcome=outcome, again=again)


def test_a_wrong_token_is_told_at_once(stack: Stack) -> None:
    began = time.monotonic()
    with pytest.raises(InvalidAdminToken):
        stack.worker(token="wrong", patience=600.0).hello()
    assert time.monotonic() - began < 60, "it is not tried again"


def test_a_welcome_says_how_storage_is_reached(stack: Stack) -> None:
    welcome = stack.worker().hello()
    access = welcome.storage
    assert (access.endpoint_url, access.public_url) == (STORAGE.endpoint_url, STORAGE.public_url)
    assert (access.access_key, access.secret_key, access.bucket, access.region) == (
        STORAGE.access_key,
        STORAGE.secret_key,
        STORAGE.bucket,
        STORAGE.region,
    )
    assert stack.service.workers.alive() == [WorkerId("worker/1")]


def test_an_api_that_was_restarted_hears_of_the_walls_again(stack: Stack) -> None:
    worker, workers = stack.worker(), stack.service.workers
    worker.hello(protection=("limits", "seccomp"))
    assert workers.protection(WorkerId("worker/1")) == ("limits", "seccomp")
    workers.forget(WorkerId("worker/1"))
    worker.heartbeat((), (), 60.0)
    assert workers.protection(WorkerId("worker/1")) == ("limits", "seccomp")


def test_an_opened_run_knows_its_batch(stack: Stack) -> None:
    batch_id = stack.batch(stack.file(), stack.file(), engine="sleep:0")
    stack.named_run(batch_id)
    opened = stack.worker().open_run(OpenRun(run_id=RUN, batch_id=batch_id, worker_id=WorkerId("worker/1")))
    assert (opened.batch_id, opened.customer_id) == (batch_id, stack.customer.customer_id)
    assert (opened.customer_name, opened.run_no, opened.total_items) == ("acme", 1, 2)
    assert opened.item_cap == stack.customer.item_cap
    assert opened.options == stack.shown(batch_id).options.to_values()
    assert opened.status is BatchStatus.PENDING


def test_a_run_started_by_hand_is_taken_in(stack: Stack) -> None:
    batch_id = stack.batch()
    opened = stack.worker().open_run(OpenRun(run_id=RUN, batch_id=batch_id, worker_id=WorkerId("worker/1")))
    assert opened.run_no == 1
    run = stack.ledger.runs.get(RUN)
    assert run is not None
    assert (run.status, run.worker_id) == (RunStatus.ACTIVE, WorkerId("worker/1"))


def test_a_run_of_no_batch_is_refused(stack: Stack) -> None:
    unknown = OpenRun(run_id=RUN, batch_id=BatchId("batch_x"), worker_id=WorkerId("worker/1"))
    with pytest.raises(Refused, match="batch_not_found"):
        stack.worker().open_run(unknown)


def test_a_claim_is_the_ledgers_claim(stack: Stack) -> None:
    worker = stack.worker()
    batch_id = stack.batch(stack.file(b"one", "\u4e2d.pdf"), stack.file(b"two"), stack.file())
    stack.opened(worker, batch_id)
    claim = worker.claim(stack.request(worker, batch_id, lanes=2), wait_seconds=1)
    assert (len(claim.slices), claim.unleased, claim.held, claim.at_cap) == (2, 1, 2, False)
    item = claim.slices[0].items[0]
    assert (item.filename, item.size_bytes, item.position, item.lease_no, item.attempts) == ("\u4e2d.pdf", 3, 0, 1, 0)
    assert item.customer_id == stack.customer.customer_id
    assert claim.slices[0].lease_expires_at.tzinfo is not None


def test_a_claim_waits_until_a_lane_is_free(stack: Stack) -> None:
    stack.ledger.accounts.update_customer(stack.customer.customer_id, item_cap=1)
    worker, batch_id = stack.worker(), stack.batch(stack.file(), stack.file())
    stack.opened(worker, batch_id)
    first = worker.claim(stack.request(worker, batch_id), wait_seconds=0)
    with ThreadPoolExecutor(1) as pool:
        waits = pool.submit(worker.claim, stack.request(worker, batch_id), wait_seconds=25)
        until(lambda: bool(stack.service.claims.waiting), "the claim waits")
        worker.report(word(first, ReportKind.FINISH, succeeded()))
        assert len(waits.result(timeout=10).slices) == 1


def test_a_drain_answers_claims_that_wait(stack: Stack) -> None:
    stack.ledger.accounts.update_customer(stack.customer.customer_id, item_cap=1)
    worker, batch_id = stack.worker(), stack.batch(stack.file(), stack.file())
    stack.opened(worker, batch_id)
    worker.claim(stack.request(worker, batch_id), wait_seconds=0)
    with ThreadPoolExecutor(1) as pool:
        waits = pool.submit(worker.claim, stack.request(worker, batch_id), wait_seconds=25)
        until(lambda: bool(stack.service.claims.waiting), "the claim waits")
        worker.drain()
        assert waits.result(timeout=10).slices == ()


def test_a_run_that_is_over_hears_so_at_its_next_claim(stack: Stack) -> None:
    worker, batch_id = stack.worker(), stack.batch()
    stack.opened(worker, batch_id)
    stack.ledger.work.revoke(worker_id=worker.worker_id)
    with pytest.raises(StaleLease, match="over"):
        worker.claim(stack.request(worker, batch_id), wait_seconds=1)


SUCCESS = Succeeded(page_count=3, result_id=ResultId("res_a"), sha256="0a" * 32, engine="fast 1", seconds=0.123456)


def test_a_success_survives_the_way(stack: Stack) -> None:
    worker, file_id = stack.worker(), stack.file()
    batch_id = stack.batch(file_id)
    stack.opened(worker, batch_id)
    claim = worker.claim(stack.request(worker, batch_id), wait_seconds=1)
    (begun,) = worker.report(word(claim, ReportKind.BEGIN))
    assert (begun.accepted, begun.batch_id, begun.batch_ended) == (True, batch_id, False)
    (done,) = worker.report(word(claim, ReportKind.FINISH, SUCCESS))
    assert (done.accepted, done.batch_ended) == (True, True)
    (item,) = stack.items(batch_id)
    assert (item.status, item.page_count, item.result_id) == (ItemStatus.SUCCEEDED, 3, SUCCESS.result_id)
    assert stack.ledger.files.find(stack.customer.customer_id, [file_id])[file_id].sha256 == SUCCESS.sha256
    assert stack.ledger.billing.pages_used(stack.customer.customer_id) == 3


@pytest.mark.parametrize("code", sorted(DOCUMENT_ERRORS))
def test_every_failure_survives_the_way(stack: Stack, code: str) -> None:
    worker, file_id = stack.worker(), stack.file()
    batch_id = stack.batch(file_id)
    stack.opened(worker, batch_id)
    claim = worker.claim(stack.request(worker, batch_id), wait_seconds=1)
    sent = Failed(code=code, message='"quoted" \u4e2d\n\x00', retryable=True, sha256="0b" * 32)
    assert worker.report(word(claim, ReportKind.FINISH, sent))[0].accepted
    (item,) = stack.items(batch_id)
    assert (item.error_code, item.error_message, item.error_retryable) == (code, sent.message, True)
    assert stack.ledger.files.find(stack.customer.customer_id, [file_id])[file_id].sha256 == sent.sha256


def test_a_word_said_twice_is_taken_once(stack: Stack) -> None:
    worker, batch_id = stack.worker(), stack.batch()
    stack.opened(worker, batch_id)
    claim = worker.claim(stack.request(worker, batch_id), wait_seconds=1)
    for _ in range(2):
        assert worker.report(word(claim, ReportKind.FINISH, succeeded(2)))[0].accepted
    assert stack.ledger.billing.pages_used(stack.customer.customer_id) == 2


def test_a_late_word_is_refused_and_leaves_no_trace(stack: Stack) -> None:
    worker, batch_id = stack.worker(), stack.batch()
    stack.opened(worker, batch_id)
    claim = worker.claim(stack.request(worker, batch_id), wait_seconds=1)
    stack.ledger.work.revoke(worker_id=worker.worker_id)
    (verdict,) = worker.report(word(claim, ReportKind.FINISH, succeeded()))
    assert not verdict.accepted
    assert stack.items(batch_id)[0].status is ItemStatus.PENDING


def test_a_heartbeat_renews_and_tells_what_was_lost(stack: Stack) -> None:
    worker, batch_id = stack.worker(), stack.batch(stack.file(), stack.file())
    stack.opened(worker, batch_id)
    claim = worker.claim(stack.request(worker, batch_id), wait_seconds=1)
    kept, closed = (piece.slice_id for piece in claim.slices)
    item = claim.slices[1].items[0]
    finish = Report(kind=ReportKind.FINISH, item_id=item.item_id, lease_no=item.lease_no, outcome=failed())
    worker.report(finish)
    before = stack.ledger.runs.get(RUN)
    lost = worker.heartbeat((kept, closed, "slice_nobodys"), (RUN,), 500.0)
    assert set(lost.slice_ids) == {closed, "slice_nobodys"}
    ((expires_at,),) = looked_up(stack.ledger, "SELECT expires_at FROM slices WHERE slice_id = ?", kept)
    assert (expires_at.replace(tzinfo=UTC) - claim.slices[0].lease_expires_at).total_seconds() > 300
    after = stack.ledger.runs.get(RUN)
    assert before is not None
    assert after is not None
    assert after.seen_at > before.seen_at


def test_a_new_life_of_a_worker_takes_the_old_ones_leases_away(stack: Stack) -> None:
    old, other, batch_id = stack.worker("worker/1"), stack.worker("worker2/1"), stack.batch(stack.file(), stack.file())
    stack.opened(old, batch_id)
    stack.opened(other, batch_id, RunId("other"))
    mine = old.claim(stack.request(old, batch_id, 1), wait_seconds=1)
    theirs = other.claim(stack.request(other, batch_id, 1, RunId("other")), wait_seconds=1)
    new = stack.worker("worker/2")
    new.hello()
    assert old.heartbeat((mine.slices[0].slice_id,), (), 90.0).slice_ids == (mine.slices[0].slice_id,)
    assert other.heartbeat((theirs.slices[0].slice_id,), (), 90.0).slice_ids == ()
    run = stack.ledger.runs.get(RUN)
    assert run is not None
    assert run.status in (RunStatus.LOST, RunStatus.ENDED)


def test_hello_again_takes_nothing_away(stack: Stack) -> None:
    worker, batch_id = stack.worker(), stack.batch()
    stack.opened(worker, batch_id)
    claim = worker.claim(stack.request(worker, batch_id), wait_seconds=1)
    worker.hello()
    assert worker.heartbeat((claim.slices[0].slice_id,), (), 90.0).slice_ids == ()


def test_a_goodbye_gives_everything_back_without_counting_it_as_lost(stack: Stack) -> None:
    worker, batch_id = stack.worker(), stack.batch()
    stack.opened(worker, batch_id)
    worker.claim(stack.request(worker, batch_id), wait_seconds=1)
    worker.goodbye()
    assert stack.service.workers.alive() == []
    again = stack.worker("worker/2")
    stack.opened(again, batch_id, RunId("next"))
    (piece,) = again.claim(stack.request(again, batch_id, run_id=RunId("next")), wait_seconds=1).slices
    assert piece.items[0].lost_leases == 0


def test_the_end_of_a_run_gives_back_what_it_held(stack: Stack) -> None:
    worker, batch_id = stack.worker(), stack.batch(stack.file(b"1", "a.pdf"), stack.file())
    stack.opened(worker, batch_id)
    claim = worker.claim(stack.request(worker, batch_id), wait_seconds=1)
    worker.report(word(claim, ReportKind.FINISH, failed()))
    worker.end_run(RUN)
    summary = worker.summary(RUN)
    assert (summary.succeeded, summary.failed, summary.cancelled, summary.unfinished) == (0, 1, 0, 1)
    (row,) = summary.failures
    assert row == {
        "position": 0,
        "filename": "a.pdf",
        "item_id": claim.slices[0].items[0].item_id,
        "code": "extraction_failed",
        "message": "It is damaged.",
    }
    assert [found.unleased for found in stack.ledger.runs.open_batches()] == [1]


def test_a_run_cancelled_in_the_orchestrator_cancels_the_batch(stack: Stack) -> None:
    worker, batch_id = stack.worker(), stack.batch()
    stack.opened(worker, batch_id)
    worker.cancel_run(RUN)
    assert stack.shown(batch_id).status is BatchStatus.CANCELLED


def test_a_summary_shows_the_first_hundred_failures(stack: Stack) -> None:
    stack.ledger.accounts.update_customer(stack.customer.customer_id, item_cap=1000)
    worker, batch_id = stack.worker(), stack.batch(*[stack.file()] * 120)
    stack.opened(worker, batch_id)
    claim = worker.claim(stack.request(worker, batch_id, lanes=120), wait_seconds=1)
    items = [piece.items[0] for piece in claim.slices]
    finish = [
        Report(kind=ReportKind.FINISH, item_id=item.item_id, lease_no=item.lease_no, outcome=failed()) for item in items
    ]
    worker.report(*finish)
    summary = worker.summary(RUN)
    assert (summary.failed, len(summary.failures)) == (120, 100)


def test_the_bell_wakes_a_worker(stack: Stack) -> None:
    worker = stack.worker()
    seen = worker.hello().notifications
    assert worker.wait_for_runs(seen, 0.0) == seen
    with ThreadPoolExecutor(1) as pool:
        waits = pool.submit(worker.wait_for_runs, seen, 25.0)
        until(lambda: bool(stack.service.workers._notified._waiters), "the worker waits")
        stack.ring()
        assert waits.result(timeout=10) == seen + 1
    assert worker.wait_for_runs(seen, 25.0) == seen + 1, "a ring it has not heard is answered at once"


def test_an_api_that_is_away_for_a_while_is_waited_for(stack: Stack) -> None:
    worker, batch_id = stack.worker(patience=20.0), stack.batch()
    stack.opened(worker, batch_id)
    claim = worker.claim(stack.request(worker, batch_id), wait_seconds=1)
    asked = threading.Event()

    class Flaky(httpx.BaseTransport):
        """Lets the first two requests fail, as an API that is restarted does."""

        def __init__(self) -> None:
            self._real = httpx.HTTPTransport()
            self._failures = [httpx.ConnectError("refused"), httpx.ReadError("reset")]

        def handle_request(self, request: httpx.Request) -> httpx.Response:
            asked.set()
            if self._failures:
                raise self._failures.pop()
            return self._real.handle_request(request)

        def close(self) -> None:
            self._real.close()

    worker._http.close()
    worker = WorkerClient(stack.url, WORKER_TOKEN, worker.worker_id, patience_seconds=20.0, transport=Flaky())
    stack.clients.append(worker)
    (verdict,) = worker.report(word(claim, ReportKind.FINISH, succeeded()))
    assert verdict.accepted
    assert asked.is_set()


@pytest.mark.parametrize("answer", [httpx.Response(200, text="<html>"), httpx.Response(404, text="<html>")])
def test_somebody_else_at_the_address_is_told(stack: Stack, answer: httpx.Response) -> None:
    wires = httpx.MockTransport(lambda _: answer)
    worker = WorkerClient(stack.url, WORKER_TOKEN, WorkerId("w/1"), transport=wires)
    with pytest.raises(Refused):
        worker.heartbeat((), (), 90.0)
    worker.close()


def test_an_api_that_stays_away_is_told() -> None:
    worker = WorkerClient(f"http://127.0.0.1:{free_port()}", "t", WorkerId("w/1"), patience_seconds=0.3)
    with pytest.raises(ServiceUnreachable, match="ConnectError"):
        worker.hello()
    with pytest.raises(ServiceUnreachable):
        worker.heartbeat((), (), 90.0)
    worker.close()
