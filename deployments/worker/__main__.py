"""`python -m deployments.worker`: the embedded worker; waits for Prefect and the API, registers, works."""

import asyncio
import contextlib
import logging
import signal
import sys

import httpx
from prefect.client.orchestration import get_client
from prefect.exceptions import PrefectHTTPStatusError

from deployments.register import register
from deployments.worker.warm import OctavoWorker
from octavo.errors import OctavoError
from octavo.settings import read_settings

logger = logging.getLogger("octavo.worker")
PAUSE_SECONDS = 0.2
STARTING_ATTEMPTS = 300
"""So many attempts may fail while Prefect is being started; then the log warns."""


async def register_when_there() -> None:
    """Register as soon as Prefect answers."""
    attempts = 0
    while True:
        try:
            async with get_client() as client:
                if await client.api_healthcheck() is None:
                    names = await register(client)
                    logger.info("registered %s", ", ".join(names))
                    return
        except (httpx.HTTPError, PrefectHTTPStatusError) as error:
            attempts += 1
            if attempts in (1, STARTING_ATTEMPTS):
                level = logging.WARNING if attempts == STARTING_ATTEMPTS else logging.INFO
                logger.log(level, "not registered with Prefect yet, tried again: %s", error)
        await asyncio.sleep(PAUSE_SECONDS)


async def work() -> None:
    """Work until SIGTERM, then drain."""
    me = asyncio.current_task()
    if me is not None:
        for number in (signal.SIGTERM, signal.SIGINT):
            asyncio.get_running_loop().add_signal_handler(number, me.cancel)
    with contextlib.suppress(asyncio.CancelledError):
        await register_when_there()
        settings = read_settings()
        worker = OctavoWorker(
            work_pool_name=settings.prefect.work_pool,
            name=settings.worker.name,
            create_pool_if_not_found=True,
        )
        await worker.start(printer=logger.info)


def main() -> int:
    """Run the worker; an operation error is printed on one line."""
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s %(message)s", force=True)
    logging.getLogger("httpx").setLevel(logging.WARNING)
    # Warns at each orderly end that events are still to be sent, and then sends them.
    logging.getLogger("EventsWorker").setLevel(logging.ERROR)
    try:
        asyncio.run(work())
    except OctavoError as error:
        logger.error("%s", error.message)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
