"""Registers the work pool, the deployments and their schedules with Prefect; every worker does so when it starts.

What is missing is created, also while workers run (`restore_missing`): a pool or a deployment that somebody has
deleted by mistake would leave every batch waiting.

Of a deployment that exists, only what belongs to Octavo is renewed: entrypoint, version, description, parameter
schema. Its schedules, parameters, tags, limits and whether it is paused belong to the people who look after it (ADR
0045): a change made in the Prefect UI stays, and a schedule that was deleted stays deleted.
"""

import contextlib
from collections.abc import Mapping

from prefect.client.orchestration import PrefectClient
from prefect.client.schemas.actions import DeploymentUpdate, VariableCreate, VariableUpdate, WorkPoolCreate
from prefect.client.schemas.responses import DeploymentResponse
from prefect.exceptions import ObjectAlreadyExists, ObjectNotFound

from deployments.declared import DeclaredDeployment, read_declared
from deployments.worker import OctavoWorker

SCHEDULES_VARIABLE = "octavo_schedules"
"""Name of the Prefect variable that lists the schedules ever created here, by deployment.

Without it a schedule that somebody deleted looks the same as one that a new version declares for the first time.
"""
Slugs = Mapping[str, list[str]]


async def register(client: PrefectClient) -> list[str]:
    """Create what is missing, renew what is Octavo's own; return the deployments' full names."""
    known = await _created_schedules(client)
    created: dict[str, list[str]] = {}
    for declared in read_declared():
        name = f"{declared.load_flow().name}/{declared.name}"
        await _ensure_work_pool(client, declared.work_pool.name)
        found = await _find(client, name)
        if found is None:
            await _create(client, declared)
        else:
            await _renew(client, found, declared)
            await _add_schedules(client, found, declared, known.get(name, []))
        created[name] = sorted({*known.get(name, []), *(schedule.slug for schedule in declared.schedules)})
    if created != known:
        await _note_schedules(client, created)
    return list(created)


async def restore_missing(client: PrefectClient) -> list[str]:
    """Create a pool and deployments that are gone, and give a deployment back the pool it lost; return their names.

    Nothing is renewed: workers of two versions, side by side during an upgrade, would undo each other's work.
    """
    restored = []
    for declared in read_declared():
        name = f"{declared.load_flow().name}/{declared.name}"
        found = await _find(client, name)
        if found is not None and found.work_pool_name is not None:
            continue
        await _ensure_work_pool(client, declared.work_pool.name)
        if found is None:
            await _create(client, declared)
        else:
            pool = declared.work_pool
            change = DeploymentUpdate(work_pool_name=pool.name, work_queue_name=pool.work_queue_name)
            await client.update_deployment(found.id, change)
        restored.append(name)
    return restored


async def _ensure_work_pool(client: PrefectClient, name: str) -> None:
    template = OctavoWorker.get_default_base_job_template()
    with contextlib.suppress(ObjectAlreadyExists):
        await client.create_work_pool(
            WorkPoolCreate(name=name, type=OctavoWorker.type, base_job_template=template),
        )


async def _find(client: PrefectClient, name: str) -> DeploymentResponse | None:
    try:
        return await client.read_deployment_by_name(name)
    except ObjectNotFound:
        return None


async def _create(client: PrefectClient, declared: DeclaredDeployment) -> None:
    """Create a deployment with all its schedules; one that was deleted comes back as it is declared."""
    await client.create_deployment(
        flow_id=await client.create_flow_from_name(declared.load_flow().name),
        name=declared.name,
        tags=declared.tags,
        parameters=declared.parameters,
        schedules=[schedule.to_prefect() for schedule in declared.schedules],
        work_pool_name=declared.work_pool.name,
        work_queue_name=declared.work_pool.work_queue_name,
        job_variables=declared.work_pool.job_variables,
        **declared.owned(),
    )


async def _renew(client: PrefectClient, found: DeploymentResponse, declared: DeclaredDeployment) -> None:
    """Send what differs, if anything does: an update removes the runs that are already scheduled."""
    changed = {name: value for name, value in declared.owned().items() if getattr(found, name) != value}
    if changed:
        await client.update_deployment(found.id, DeploymentUpdate(**changed))


async def _add_schedules(
    client: PrefectClient, found: DeploymentResponse, declared: DeclaredDeployment, known: list[str]
) -> None:
    """Create the schedules that were never created here and are not there under their slug."""
    present = {*known, *(schedule.slug for schedule in found.schedules)}
    missing = [schedule.to_prefect() for schedule in declared.schedules if schedule.slug not in present]
    if missing:
        await client.create_deployment_schedules(found.id, missing)


async def _created_schedules(client: PrefectClient) -> Slugs:
    """Return the slugs of the schedules created here, by deployment; nothing where the variable is not ours to read."""
    variable = await client.read_variable_by_name(SCHEDULES_VARIABLE)
    value = variable.value if variable else None
    if not isinstance(value, dict):
        return {}
    return {name: list(map(str, slugs)) for name, slugs in value.items() if isinstance(slugs, list)}


async def _note_schedules(client: PrefectClient, created: dict[str, list[str]]) -> None:
    try:
        await client.create_variable(VariableCreate(name=SCHEDULES_VARIABLE, value=created, tags=["octavo"]))
    except ObjectAlreadyExists:
        await client.update_variable(VariableUpdate(name=SCHEDULES_VARIABLE, value=created))
