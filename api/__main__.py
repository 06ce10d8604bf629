"""`python -m api`: the API process, settings from the environment and the data directory."""

import asyncio
import contextlib
import logging
import socket
import sys

import uvicorn

from api.app import create_app
from api.http.dependencies import Service
from api.listening import Listeners, server_config
from api.orchestrator.credentials import storage_access
from api.wiring import build_service
from octavo import process_tuning
from octavo.errors import OctavoError, OperationError
from octavo.objects.s3 import S3Settings
from octavo.settings import Settings, read_settings
from octavo.supervisor.child import CANNOT_GO_ON

logger = logging.getLogger("octavo.api")


class _Server(uvicorn.Server):
    """Answers long polls when told to stop; otherwise each would be cut off with a traceback."""

    def __init__(self, config: uvicorn.Config, service: Service) -> None:
        super().__init__(config)
        self._service = service

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Answer whoever waits, then shut down as usual."""
        self._service.claims.close()
        await self._service.deliveries.close()
        self._service.long_polls.close()
        self._service.sync_extractions.close()
        self._service.page_renders.close()
        await self._service.workers.close()
        await super().shutdown(sockets)


SWITCH_SECONDS = 0.0005
"""How long a thread may compute while another waits: the event loop answers, whatever the ledger's writer computes."""

STOP_SECONDS = 5


async def serve(settings: Settings, storage: S3Settings | None) -> None:
    """Serve until SIGTERM; the ledger is closed last."""
    listeners = Listeners.bind(settings.api)
    service = build_service(settings, storage)
    try:
        with contextlib.suppress(asyncio.CancelledError):
            config = server_config(create_app(service), settings.api, listeners, stop_seconds=STOP_SECONDS)
            server = _Server(config, service)
            process_tuning.exempt_existing_objects()
            await server.serve(sockets=listeners.sockets)
    finally:
        service.ledger.close()


def main() -> int:
    """Run the API; an operation error is printed on one line."""
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s %(message)s", force=True)
    logging.getLogger("httpx").setLevel(logging.WARNING)
    sys.setswitchinterval(SWITCH_SECONDS)
    try:
        settings = read_settings()
        asyncio.run(serve(settings, storage_access(settings.storage)))
    except OctavoError as error:
        logger.error("%s", error.message)
        return CANNOT_GO_ON if isinstance(error, OperationError) and error.is_lasting else 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
