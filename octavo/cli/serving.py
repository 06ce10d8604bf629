"""`octavo up` and `octavo demo`: the embedded stack in the foreground."""

import asyncio
import contextlib
import shlex
import socket
import threading
import time
from collections.abc import Callable
from pathlib import Path

import httpx

from octavo import wiring
from octavo.authorities import authorities
from octavo.cli import admin
from octavo.cli.batch_bars import with_bars
from octavo.cli.rebuilding import has_content, has_embedded_archive
from octavo.cli.terminal import err, item_table, out, own_command, tell
from octavo.client.customer import CustomerClient
from octavo.client.inputs import find_inputs
from octavo.client.submission import submit
from octavo.directory import DataDirectory, DirectoryLock
from octavo.errors import InvalidSettings, LedgerMissing, LedgerUnavailable, OctavoError, PartGaveUp
from octavo.samples import make_samples
from octavo.settings import Settings, read_settings
from octavo.supervisor import leftovers
from octavo.supervisor.stack import Stack
from octavo.supervisor.supervisor import Supervisor

READY_SECONDS = 120.0
PROBE_SECONDS = 0.25
DEMO_CUSTOMER = "demo"


def serve(data: Path | None, *, host: str | None, port: int | None) -> None:
    """Run the stack until SIGTERM or Ctrl-C. Raises DataDirectoryInUse, InvalidSettings, MissingProgram."""
    settings = _settings(data, host=host, port=port)
    _run(settings, lambda stack: _say_ready(stack))


def demonstrate(data: Path | None, *, port: int | None, out_folder: Path) -> None:
    """Run the stack, and send the samples through it as soon as it is ready."""
    settings = _settings(data, host=None, port=port)
    _run(settings, lambda stack: _send_samples(settings, stack, out_folder))


def _settings(data: Path | None, *, host: str | None, port: int | None) -> Settings:
    settings = read_settings(data)
    given = {"host": host, "port": port}
    api = settings.api.model_copy(update={name: value for name, value in given.items() if value is not None})
    return settings.model_copy(update={"api": api})


def _run(settings: Settings, when_ready: Callable[[Stack], None]) -> None:
    directory = DataDirectory(settings.data)
    directory.prepare()
    with DirectoryLock(directory):
        ended = leftovers.end(directory.children)
        if ended:
            tell("octavo", f"ended {len(ended)} processes left over from an earlier stack")
        _check_ledger(settings, directory)
        directory.clear_scratch()
        stack = Stack(settings, directory)
        _check_ports(stack)
        directory.write_notes(
            api_url=stack.addresses.api_url,
            internal_api_url=stack.addresses.internal_api_url,
            prefect_url=stack.addresses.prefect_url,
            prefect_ui_url=stack.prefect_ui_url,
        )
        supervisor = Supervisor(stack.specs(), tell=tell, children_file=directory.children)
        tell("octavo", f"data in {directory.path}, logs in {directory.logs}")
        for advice in stack.advice():
            tell("octavo", advice)
        watcher = threading.Thread(target=_when_ready, args=(stack, when_ready), daemon=True)
        gave_up = asyncio.run(supervisor.run(on_started=watcher.start))
    if gave_up is not None:
        raise PartGaveUp(f"The stack has stopped, as a part of it cannot go on: {gave_up}")


def _check_ledger(settings: Settings, directory: DataDirectory) -> None:
    """Raise before anything is started what no start can mend: a ledger that is damaged, or of a newer version.

    Raises LedgerMissing rather than start empty next to an archive; with other storage the API notices.
    """
    if has_embedded_archive(settings, directory) and not has_content(directory.ledger):
        raise LedgerMissing(
            f"{directory.ledger} is gone, but its archive is in storage; restore it: "
            f"octavo ledger rebuild --data {directory.path}"
        )
    if has_content(directory.ledger):
        # A full disk is waited out by the API.
        with contextlib.suppress(LedgerUnavailable):
            wiring.open_ledger_file(directory.ledger).close()


def _check_ports(stack: Stack) -> None:
    for name, host, port in stack.listeners():
        with socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind((host, port))
            except OSError as error:
                raise InvalidSettings(
                    f"Port {port} on {host}, meant for {name}, cannot be used ({error.strerror}). "
                    f"Free it or choose another: {_port_advice(name)}"
                ) from error


def _port_advice(name: str) -> str:
    named = {"api": "--port PORT", "internal": "OCTAVO_API__INTERNAL_PORT=PORT"}
    return named.get(name, f"OCTAVO_{name.upper()}__PORT=PORT")


def _when_ready(stack: Stack, then: Callable[[Stack], None], *, patience_seconds: float = READY_SECONDS) -> None:
    """Continue once everything is ready, however long it takes; say so if it takes too long."""
    limit = time.monotonic() + patience_seconds
    is_told = False
    while (trouble := _trouble(f"{stack.addresses.internal_api_url}/health")) is not None:
        if time.monotonic() > limit and not is_told:
            is_told = True
            tell("octavo", f"not ready after {patience_seconds:.0f} s: {trouble}; see the logs")
        time.sleep(PROBE_SECONDS)
    try:
        then(stack)
    except OctavoError as error:
        err.print(f"octavo: {error.message}", style="red", markup=False)


def _trouble(health_url: str) -> str | None:
    """Return what is not ready yet."""
    try:
        # Asked ten times a second, while everything that is waited for needs the processor.
        answer = httpx.get(health_url, timeout=5.0, trust_env=False, verify=authorities())
        if answer.status_code == 200:
            return None
        parts = answer.json()["parts"]
        return ", ".join(f"{name}: {part['message']}" for name, part in parts.items() if part["status"] != "ok")
    except httpx.TransportError as error:
        return f"the API does not answer ({type(error).__name__})"
    except (ValueError, KeyError):
        return f"something else answers at {health_url}"


def _say_ready(stack: Stack) -> None:
    tell("octavo", f"ready: API {stack.addresses.api_url}  docs {stack.addresses.api_url}/docs")
    tell("octavo", f"       Prefect UI {stack.prefect_ui_url}")
    if stack.prefect_login_file is not None:
        tell("octavo", f"       it asks for what this shows: cat {shlex.quote(str(stack.prefect_login_file))}")


def _send_samples(settings: Settings, stack: Stack, out_folder: Path) -> None:
    _say_ready(stack)
    samples = make_samples(settings.data / "samples")
    inputs = find_inputs(samples)
    url = stack.addresses.api_url
    key = admin.create_key(settings.data, customer=DEMO_CUSTOMER, label="octavo demo")
    tell("demo", f"sending {len(inputs)} sample documents from {settings.data / 'samples'}")
    with CustomerClient(url, key) as client:
        ends = with_bars(
            len(inputs), lambda progress: submit(client, inputs, out_folder, engine=None, progress=progress)
        )
    out.print(item_table(ends))
    out.print(f"\nResults        {out_folder.resolve()}", markup=False)
    out.print(f"API            {url}", markup=False)
    out.print(f"API docs       {url}/docs", markup=False)
    out.print(f"Prefect UI     {stack.prefect_ui_url}", markup=False)
    if stack.prefect_login_file is not None:
        out.print(f"  its password cat {shlex.quote(str(stack.prefect_login_file))}", markup=False)
    command = f"{own_command()} submit FILES... --url {url} --key {key} --out results"
    out.print(f"Your own files {command}", markup=False)
    tell("octavo", "serving; Ctrl-C stops it")
