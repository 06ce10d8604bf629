"""An API that is killed after a batch is on disk and before it has answered: the retry is given that batch."""

import contextlib
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from octavo.directory import free_port
from tests.integration.api.dying import FILE_ID, SECRET
from tests.unit.api.serving import until

BODY = {"source": {"file_ids": [FILE_ID]}, "engine": "sleep:0.01"}
HEADERS = {"X-API-KEY": SECRET, "Idempotency-Key": "once"}


@contextlib.contextmanager
def api(folder: Path, fate: str) -> Iterator[tuple[httpx.Client, "subprocess.Popen[bytes]"]]:
    port = free_port()
    command = [sys.executable, "-m", "tests.integration.api.dying", str(folder), str(port), fate]
    with (
        subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process,
        httpx.Client(base_url=f"http://127.0.0.1:{port}", headers=HEADERS, timeout=120, trust_env=False) as client,
    ):

        def is_there() -> bool:
            assert process.poll() is None, "it ended at once"
            with contextlib.suppress(httpx.TransportError):
                return client.get("/v1/batches").status_code == 200
            return False

        try:
            until(is_there, "the API answers")
            yield client, process
        finally:
            process.kill()


def test_a_crash_between_commit_and_answer_gives_the_same_batch_on_retry(tmp_path: Path) -> None:
    with api(tmp_path, "dies") as (client, process):
        with pytest.raises(httpx.TransportError):
            client.post("/v1/batches", json=BODY)
        assert process.wait(120) < 0, "it was killed"
    with api(tmp_path, "lives") as (client, _):
        (kept,) = client.get("/v1/batches").json()["data"]
        answers = [client.post("/v1/batches", json=BODY) for _ in range(3)]
        assert [(answer.status_code, answer.json()["id"]) for answer in answers] == [(200, kept["id"])] * 3
        assert len(client.get("/v1/batches").json()["data"]) == 1
        assert answers[0].json()["counts"]["pending"] == 1
        other = client.post("/v1/batches", json={**BODY, "metadata": {"an": "other"}})
        assert (other.status_code, other.json()["error"]) == (422, "idempotency_key_reused")
