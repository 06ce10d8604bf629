"""The flow that sends webhook deliveries: claims those that are due and maps `deliver` over them.

The API starts it when something is due and nobody is sending; it ends when nothing has come for a while.
"""

import time
from queue import SimpleQueue
from typing import Any, cast

from prefect import flow, get_run_logger
from prefect.client.schemas.objects import State
from prefect.futures import PrefectFuture
from prefect.states import Completed
from prefect.task_runners import TaskRunner, ThreadPoolTaskRunner

from octavo.errors import ServiceUnreachable
from tasks import worker
from tasks.deliver import deliver

AT_ONCE = 32
"""Deliveries in flight from one flow run; each waits for its receiver most of the time."""
LINGER_SECONDS = 5.0
"""How long a run waits for the next delivery, which then needs no new run."""
LONGEST_SECONDS = 600.0
"""After this long another run takes over, so that no run stays in Prefect for ever."""


@flow(
    name="deliver-webhooks",
    task_runner=cast(TaskRunner[PrefectFuture[Any]], ThreadPoolTaskRunner(max_workers=AT_ONCE)),
    validate_parameters=False,
    persist_result=False,
    log_prints=False,
)
def deliver_webhooks() -> State[None]:
    """Send what is due until nothing is."""
    here, sender, sending = worker.current(), worker.webhook_sender(), Sending()
    end = time.monotonic() + LONGEST_SECONDS
    sent = 0
    while not here.is_draining and time.monotonic() < end:
        sending.wait_for_room()
        try:
            taken = sender.take(limit=AT_ONCE - sending.count, under_way=sending.count, wait_seconds=LINGER_SECONDS)
        except ServiceUnreachable as error:
            get_run_logger().warning("no more deliveries: %s", error.message)
            break
        for delivery_id, lease_no in taken:
            sending.add(deliver.submit(delivery_id, lease_no))
        sent += len(taken)
        if not taken and not sending.count:
            break  # the API knows: it gave nothing to a run that had nothing under way
    sending.wait_for_all()
    return Completed(message=f"{sent} sent")


class Sending:
    """The unfinished task runs of one flow run; Prefect's engine in this process reports their ends."""

    def __init__(self) -> None:
        self.count = 0
        self._ended: SimpleQueue[PrefectFuture[State[None]]] = SimpleQueue()

    def add(self, future: PrefectFuture[State[None]]) -> None:
        """Follow a task run."""
        self.count += 1
        future.add_done_callback(self._ended.put)

    def wait_for_room(self) -> None:
        """Drop what has ended; return when there are few enough to add another."""
        while self.count and (self.count >= AT_ONCE or not self._ended.empty()):
            self._ended.get()
            self.count -= 1

    def wait_for_all(self) -> None:
        """Return when all have ended."""
        while self.count:
            self._ended.get()
            self.count -= 1
