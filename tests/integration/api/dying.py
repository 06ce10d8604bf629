"""An API process on a real ledger that is killed between a batch's commit and its answer, when told to.

    python -m tests.integration.api.dying FOLDER PORT dies|lives

Prints a customer's key and the id of a file that is ready; each start has the same customer and file.
"""

import os
import signal
import sys
from datetime import timedelta
from pathlib import Path

import uvicorn

from api.app import create_app
from api.http import auth
from octavo.batches import Batch, FileStatus, NewBatch, StagedFile
from octavo.identifiers import FileId
from octavo.ledger.duckdb import DuckdbLedger
from octavo.ledger.duckdb.batches import DuckdbBatches
from octavo.objects.memory import MemoryObjects
from octavo.timestamps import now
from tests.unit.api.service import make_service, settings

FILE_ID = FileId("file_of_the_test")
SECRET = "oct_of_the_test"


class DyingBatches(DuckdbBatches):
    """Kills its process as soon as a batch is on disk."""

    def create(self, new: NewBatch) -> tuple[Batch, bool]:
        """Keep the batch, and end."""
        super().create(new)
        os.kill(os.getpid(), signal.SIGKILL)
        raise AssertionError("a killed process does not get here")


def furnish(ledger: DuckdbLedger) -> None:
    """Let there be one customer with one key and one file."""
    customer = ledger.accounts.ensure_customer("acme")
    if not ledger.accounts.keys(customer.customer_id):
        ledger.accounts.add_key(customer.customer_id, prefix=SECRET[:8], digest=auth.digest(SECRET))
        moment = now()
        staged = StagedFile(
            file_id=FILE_ID,
            customer_id=customer.customer_id,
            status=FileStatus.READY,
            filename="x.pdf",
            content_type=None,
            size_bytes=4,
            sha256=None,
            object_key="in/x",
            created_at=moment,
            expires_at=moment + timedelta(days=3),
        )
        ledger.files.add([staged])


def main() -> None:
    folder, port, fate = Path(sys.argv[1]), int(sys.argv[2]), sys.argv[3]
    ledger = DuckdbLedger(folder / "ledger.duckdb")
    if fate == "dies":
        ledger.batches = DyingBatches(ledger._store)
    furnish(ledger)
    app = create_app(make_service(settings(folder), ledger, MemoryObjects()))
    uvicorn.run(app, host="127.0.0.1", port=port, log_config=None, loop="asyncio", http="h11")


if __name__ == "__main__":
    main()
