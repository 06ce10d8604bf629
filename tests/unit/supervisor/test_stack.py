"""Addresses, ports and commands of a stack, before anything of it runs."""

import asyncio
import contextlib
import http.server
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from octavo import settings
from octavo.directory import DataDirectory, free_port
from octavo.objects.embedded import load_keys
from octavo.settings import ApiSettings, PrefectSettings, Settings, StorageSettings, WorkerSettings, machine_memory
from octavo.supervisor.stack import Stack, answers


def stack_on(folder: Path, **groups: object) -> Stack:
    settings = Settings.model_construct(**{**dict(Settings(data=folder)), **groups})
    directory = DataDirectory(folder)
    directory.prepare()
    return Stack(settings, directory)


def test_children_start_in_the_order_of_who_needs_whom(tmp_path: Path) -> None:
    assert [spec.name for spec in stack_on(tmp_path).specs()] == ["storage", "prefect", "api", "worker"]


def test_what_the_operator_runs_elsewhere_is_not_started_here(tmp_path: Path) -> None:
    stack = stack_on(
        tmp_path,
        storage=StorageSettings(endpoint_url="https://s3.example"),
        prefect=PrefectSettings(api_url="https://prefect.example/api"),
    )
    assert [spec.name for spec in stack.specs()] == ["api", "worker"]
    assert [name for name, _, _ in stack.listeners()] == ["api", "internal"]
    assert stack.addresses.storage_public_url == "https://s3.example"
    assert stack.prefect_ui_url == "https://prefect.example"


def test_no_secret_is_on_a_command_line_and_each_file_of_them_is_for_its_owner_alone(tmp_path: Path) -> None:
    specs = stack_on(tmp_path).specs()
    keys = load_keys(tmp_path / "secrets" / "storage_keys")
    words = [word for spec in specs for word in spec.command]
    assert not [word for word in words if keys.access_key in word or keys.secret_key in word]
    assert all(keys.secret_key not in repr(spec) for spec in specs)
    assert (tmp_path / "secrets" / "storage_keys").stat().st_mode & 0o777 == 0o600


def test_ports_are_kept_over_restarts_and_differ_between_stacks(tmp_path: Path) -> None:
    first = stack_on(tmp_path / "one").listeners()
    assert stack_on(tmp_path / "one").listeners() == first
    others = stack_on(tmp_path / "two").listeners()
    assert not {port for name, _, port in first if name != "api"} & {port for _, _, port in others}


def test_prefect_listens_on_loopback_alone_without_analytics(tmp_path: Path) -> None:
    stack = stack_on(tmp_path, api=ApiSettings(host="0.0.0.0"))  # noqa: S104 - the case
    (prefect,) = [spec for spec in stack.specs() if spec.name == "prefect"]
    assert "127.0.0.1" in prefect.command
    assert "0.0.0.0" not in prefect.command  # noqa: S104 - the case
    assert prefect.environment["PREFECT_SERVER_ANALYTICS_ENABLED"] == "false"


def test_the_recorder_is_never_flushed_more_than_once_a_second(tmp_path: Path) -> None:
    # Any value below 1 makes Prefect 3.8.8 spin a whole core.
    (prefect,) = [spec for spec in stack_on(tmp_path).specs() if spec.name == "prefect"]
    flushes = [value for name, value in prefect.environment.items() if name.endswith("_FLUSH_INTERVAL")]
    assert len(flushes) == 2
    assert all(int(value) >= 1 for value in flushes)


def test_documents_in_work_lie_where_the_worker_s_next_life_clears_them_away(tmp_path: Path) -> None:
    (worker,) = [spec for spec in stack_on(tmp_path).specs() if spec.name == "worker"]
    assert worker.scratch is not None
    assert worker.environment["TMPDIR"] == str(worker.scratch)
    assert worker.scratch.parent == tmp_path.resolve() / "scratch"


def test_as_many_workers_as_are_asked_for_each_with_its_name_its_folder_and_its_share_of_the_cores(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(settings, "machine_cores", lambda: 4)
    specs = [spec for spec in stack_on(tmp_path, worker=WorkerSettings(count=2)).specs() if "worker" in spec.name]
    assert [spec.name for spec in specs] == ["worker", "worker-2"]
    environments = [spec.environment for spec in specs]
    assert [found["OCTAVO_WORKER__NAME"] for found in environments] == ["embedded", "embedded-2"]
    assert [found["OCTAVO_WORKER__PROCESSES"] for found in environments] == ["2", "2"]
    memory = [int(found["OCTAVO_WORKER__MEMORY_BYTES"]) for found in environments]
    assert memory == [machine_memory() * 3 // 8] * 2
    assert len({spec.scratch for spec in specs}) == len({spec.log for spec in specs}) == 2
    assert len({found["OCTAVO_READY_FILE"] for found in environments}) == 2


def test_a_node_whose_workers_are_elsewhere_starts_none(tmp_path: Path) -> None:
    names = [spec.name for spec in stack_on(tmp_path, worker=WorkerSettings(count=0)).specs()]
    assert names == ["storage", "prefect", "api"]


# Addresses


def test_bound_to_every_address_the_stack_speaks_to_itself_over_loopback(tmp_path: Path) -> None:
    api = ApiSettings(host="0.0.0.0", port=8123, internal_host="0.0.0.0", internal_port=8124)  # noqa: S104 - the case
    stack = stack_on(tmp_path, api=api)
    assert stack.addresses.api_url == "http://127.0.0.1:8123"
    assert stack.addresses.internal_api_url == "http://127.0.0.1:8124"
    assert {("api", "0.0.0.0", 8123), ("internal", "0.0.0.0", 8124)} <= set(stack.listeners())  # noqa: S104


def test_workers_and_admin_are_served_on_loopback_whatever_customers_reach(tmp_path: Path) -> None:
    stack = stack_on(tmp_path, api=ApiSettings(host="0.0.0.0", port=8123))  # noqa: S104 - the case
    (host, port) = next((host, port) for name, host, port in stack.listeners() if name == "internal")
    assert (host, stack.addresses.internal_api_url) == ("127.0.0.1", f"http://127.0.0.1:{port}")
    api, worker = (next(spec for spec in stack.specs() if spec.name == name) for name in ("api", "worker"))
    assert api.environment["OCTAVO_API__INTERNAL_PORT"] == str(port)
    assert worker.environment["OCTAVO_WORKER__API_URL"] == stack.addresses.internal_api_url


def test_an_ipv6_address_is_written_in_brackets(tmp_path: Path) -> None:
    stack = stack_on(tmp_path, api=ApiSettings(host="::1", port=8123))
    assert stack.addresses.api_url == "http://[::1]:8123"


def test_storage_is_signed_for_the_host_under_which_clients_know_the_api(tmp_path: Path) -> None:
    stack = stack_on(
        tmp_path,
        api=ApiSettings(host="0.0.0.0", public_url="http://docs.example:8000"),  # noqa: S104 - the case
        storage=StorageSettings(port=8333),
    )
    assert stack.addresses.storage_public_url == "http://docs.example:8333"
    assert stack.addresses.storage_url == "http://127.0.0.1:8333"
    assert stack.advice() == []


def test_a_public_address_of_storage_that_is_set_is_taken_as_it_is(tmp_path: Path) -> None:
    stack = stack_on(
        tmp_path,
        api=ApiSettings(host="0.0.0.0", public_url="http://docs.example:8000"),  # noqa: S104 - the case
        storage=StorageSettings(port=8333, public_url="https://files.example"),
    )
    assert stack.addresses.storage_public_url == "https://files.example"


def test_behind_a_proxy_with_tls_no_address_of_storage_is_guessed(tmp_path: Path) -> None:
    stack = stack_on(tmp_path, api=ApiSettings(host="0.0.0.0", public_url="https://docs.example"))  # noqa: S104
    assert stack.addresses.storage_public_url.startswith("http://127.0.0.1:")
    (advice,) = stack.advice()
    assert "set OCTAVO_STORAGE__PUBLIC_URL" in advice


def test_clients_of_other_machines_are_never_sent_to_loopback_without_a_word(tmp_path: Path) -> None:
    stack = stack_on(tmp_path, api=ApiSettings(host="0.0.0.0"))  # noqa: S104 - the case
    assert [advice.rpartition("set ")[2].split()[0] for advice in stack.advice()] == [
        "OCTAVO_API__PUBLIC_URL",
        "OCTAVO_STORAGE__PUBLIC_URL",
    ]
    assert stack_on(tmp_path, api=ApiSettings()).advice() == []


@pytest.mark.parametrize(("origins", "told"), [([], None), (["http://a"], "http://a"), (["http://a", "http://b"], "*")])
def test_storage_takes_the_browsers_origins(tmp_path: Path, origins: list[str], told: str | None) -> None:
    (storage, *_) = stack_on(tmp_path, api=ApiSettings(allowed_origins=origins)).specs()
    given = [storage.command[place + 1] for place, word in enumerate(storage.command) if word == "--allow-origin"]
    assert given == ([told] if told else [])


# Probes


@contextlib.contextmanager
def server(status: int) -> Iterator[str]:
    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(status)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_: object) -> None:
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as found:
        threading.Thread(target=found.serve_forever, args=(0.01,), daemon=True).start()
        try:
            yield f"http://127.0.0.1:{found.server_port}"
        finally:
            found.shutdown()


@pytest.mark.parametrize(
    ("status", "any_status", "ready"), [(200, False, True), (503, False, False), (503, True, True)]
)
def test_a_part_is_ready_when_it_answers_well_enough(status: int, any_status: bool, ready: bool) -> None:
    with server(status) as url:
        assert asyncio.run(_ask(url, any_status=any_status)) is ready


def test_nobody_there_is_not_ready() -> None:
    assert asyncio.run(_ask(f"http://127.0.0.1:{free_port()}", any_status=True)) is False


async def _ask(url: str, *, any_status: bool) -> bool:
    return await answers(url, any_status=any_status)()
