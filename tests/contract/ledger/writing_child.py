"""A process that writes to a ledger until it is killed, and says what was acknowledged.

Run as `python -m tests.contract.ledger.writing_child PATH`; writes a line per acknowledged finish.
"""

import sys
import threading
from pathlib import Path

from octavo.identifiers import RunId
from octavo.ledger.contract import NewWebhook
from octavo.ledger.duckdb import DuckdbLedger
from octavo.webhooks.records import BATCH_EVENTS
from tests.contract.ledger.world import WallClock, World, begin, finish, success


def write(world: World, number: int, said: threading.Lock) -> None:
    while True:
        batch = world.batch(20)
        while slices := world.claim(batch, 2, run=RunId(f"run-{number}")).slices:
            for item in [item for one in slices for item in one.items]:
                world.say(begin(item))
                (verdict,) = world.say(finish(item, success(pages=1)))
                with said:
                    sys.stdout.write(f"{item.batch_id} {item.item_id} {verdict.accepted}\n")
                    sys.stdout.flush()


def main() -> None:
    ledger = DuckdbLedger(Path(sys.argv[1]))
    world = World(ledger, WallClock())
    if not ledger.webhooks.of_customer(world.customer.customer_id):
        new = NewWebhook(customer_id=world.customer.customer_id, url="https://a.example/", events=BATCH_EVENTS)
        ledger.webhooks.add(new)
    said = threading.Lock()
    for number in range(4):
        threading.Thread(target=write, args=(world, number, said)).start()


if __name__ == "__main__":
    main()
