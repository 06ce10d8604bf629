"""The flow that sends what webhooks are to be told: claims deliveries that are due and maps `deliver` over them.

Started by the API when something is due and nobody is there to send it; it ends when nothing has come for a while.
"""

import time
from queue import SimpleQueue
from typing import Any, cast

from prefect import flow
from prefect.client.schemas.objects import State
from prefect.futures import PrefectFuture
from prefect.states import Completed
from prefect.task_runners import TaskRunner, ThreadPoolTaskRunner

from tasks import bench
from tasks.deliver import deliver

AT_ONCE = 32
"""Deliveries on their way from one flow run; each waits for its receiver most of the time."""
LINGER_SECONDS = 5.0
"""How long a run waits for the next delivery: one that comes soon needs no new run."""
LONGEST_SECONDS = 600.0
"""After this long another run takes over, so that none is kept in Prefect for ever."""


@flow(
    name="deliver-webhooks",
    task_runner=cast(TaskRunner[PrefectFuture[Any]], ThreadPoolTaskRunner(max_workers=AT_ONCE)),
    validate_parameters=False,
    persist_result=False,
    log_prints=False,
)
def deliver_webhooks() -> State[None]:
    """Send what is due until nothing is."""
    here, courier = bench.current(), bench.courier()
    ended: SimpleQueue[PrefectFuture[State[None]]] = SimpleQueue()
    end = time.monotonic() + LONGEST_SECONDS
    sent, under_way = 0, 0
    while not here.is_draining and time.monotonic() < end:
        while under_way and (under_way == AT_ONCE or not ended.empty()):
            ended.get()
            under_way -= 1
        taken = courier.take(limit=AT_ONCE - under_way, under_way=under_way, wait_seconds=LINGER_SECONDS)
        for delivery_id, lease_no in taken:
            deliver.submit(delivery_id, lease_no).add_done_callback(ended.put)
        sent, under_way = sent + len(taken), under_way + len(taken)
        if not under_way:
            break
    for _ in range(under_way):
        ended.get()
    return Completed(message=f"{sent} sent")
