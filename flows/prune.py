"""The flow that keeps the stack from growing: what is old enough goes, in Prefect and in the ledger.

Prefect's server prunes its events, and the logs and artifacts of deleted runs, by itself (`db_vacuum`). For flow
runs it would not distinguish whose they are, so they are removed here: only Octavo's, one at a time.
"""

import contextlib
from datetime import timedelta
from typing import Any
from uuid import UUID

from prefect import flow, get_run_logger
from prefect.client.orchestration import SyncPrefectClient, get_client
from prefect.client.schemas.filters import (
    FlowFilter,
    FlowFilterName,
    FlowRunFilter,
    FlowRunFilterEndTime,
    FlowRunFilterStartTime,
    FlowRunFilterState,
    FlowRunFilterStateType,
)
from prefect.client.schemas.objects import TERMINAL_STATES, State, StateType
from prefect.client.schemas.sorting import FlowRunSort
from prefect.exceptions import ObjectNotFound
from prefect.states import Completed, Crashed

from flows.deliver_webhooks import deliver_webhooks
from flows.expire import expire
from flows.extract_batch import extract_batch
from octavo.settings import read_settings
from octavo.timestamps import now
from tasks import worker

PAGE = 50
LONGEST_RUN = timedelta(hours=1)
"""Longest run of `prune` or `deliver-webhooks`."""


@flow(name="prune", validate_parameters=False, persist_result=False, log_prints=False)
def prune(keep_runs_days: float | None = None) -> State[None]:
    """Remove Octavo's old flow runs with everything attached to them, then old rows of the ledger.

    Args:
        keep_runs_days: How many days ended flow runs are kept, for this run only. Empty: the setting
            `prefect.keep_runs_days`.
    """
    keep = timedelta(days=read_settings().prefect.keep_runs_days if keep_runs_days is None else keep_runs_days)
    with get_client(sync_client=True) as client:
        _end_lost_runs(client)
        flow_runs = _remove_flow_runs(client, keep)
    pruned = worker.current().prune(keep.total_seconds())
    deliveries = worker.current().client.prune_deliveries()
    told = (
        f"{flow_runs} flow runs, {pruned.runs} runs, {pruned.idempotency_keys} idempotency keys "
        f"and {deliveries} deliveries of the ledger"
    )
    get_run_logger().info("removed %s", told)
    return Completed(message=told)


def _ours(*names: str) -> FlowFilter:
    return FlowFilter(name=FlowFilterName(any_=list(names)))


def _remove_flow_runs(client: SyncPrefectClient, keep: timedelta) -> int:
    old = FlowRunFilter(
        state=FlowRunFilterState(type=FlowRunFilterStateType(any_=list(TERMINAL_STATES))),
        end_time=FlowRunFilterEndTime(before_=now() - keep),
    )
    removed = 0
    while not worker.current().is_draining:
        found = client.read_flow_runs(
            flow_filter=_ours(extract_batch.name, deliver_webhooks.name, expire.name, prune.name),
            flow_run_filter=old,
            sort=FlowRunSort.EXPECTED_START_TIME_ASC,
            limit=PAGE,
        )
        if not found:
            break
        _remove(client, [flow_run.id for flow_run in found])
        removed += len(found)
    return removed


def _remove(client: SyncPrefectClient, flow_run_ids: list[UUID]) -> None:
    """Remove these flow runs with their task runs and states; their logs follow a moment later."""
    named: dict[str, Any] = {"any_": [str(flow_run_id) for flow_run_id in flow_run_ids]}
    # First, because nothing would lead to an artifact whose flow run is gone.
    answer = client.request("POST", "/artifacts/filter", json={"artifacts": {"flow_run_id": named}, "limit": 200})
    for artifact in answer.json():
        client.request("DELETE", "/artifacts/{id}", path_params={"id": artifact["id"]})
    for flow_run_id in flow_run_ids:
        # One by one: each deletes up to thousands of task runs, in a transaction that others wait for.
        with contextlib.suppress(ObjectNotFound):
            client.delete_flow_run(flow_run_id)


def _end_lost_runs(client: SyncPrefectClient) -> None:
    """Show runs of other flows whose worker died as Crashed; the ledger does not know them."""
    undone = FlowRunFilter(
        state=FlowRunFilterState(type=FlowRunFilterStateType(any_=[StateType.PENDING, StateType.RUNNING])),
        start_time=FlowRunFilterStartTime(before_=now() - LONGEST_RUN),
    )
    ours = _ours(prune.name, deliver_webhooks.name, expire.name)
    for flow_run in client.read_flow_runs(flow_filter=ours, flow_run_filter=undone):
        client.set_flow_run_state(flow_run.id, Crashed(message="The worker was lost."), force=True)
