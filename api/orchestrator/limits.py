"""Shows a customer's cap in Prefect: its global concurrency limit and, if the operator asks for it, a tag limit.

Open slices take slots of the global limit `customer:ID`. The tag limit of the same name is Prefect's own on
task runs: enforced, but expensive. Those created here are recorded as Prefect variables, so that switching the
option off removes them and leaves what an operator has created by hand.
"""

import logging

from prefect.client.orchestration import PrefectClient
from prefect.client.schemas.actions import VariableCreate
from prefect.exceptions import ObjectAlreadyExists, ObjectNotFound

from octavo.batches import Customer
from octavo.identifiers import CustomerId

logger = logging.getLogger(__name__)
NOTE = "octavo_tag_limit_"
"""Begins the names of the variables that say which tag limits were made here."""
MOST_NOTES_READ = 200
"""As many as Prefect gives at once."""


def limit_name(customer_id: CustomerId) -> str:
    """Return the name of the customer's concurrency limit in Prefect, which is its tag, too."""
    return f"customer:{customer_id}"


class CustomerLimits:
    """Keeps Prefect's limits equal to the customers' caps, as far as they were shown to it."""

    def __init__(self, *, tag_limits: bool) -> None:
        self._tag_limits = tag_limits
        self._shown: dict[CustomerId, int] = {}
        self._is_swept = tag_limits

    def forget(self) -> None:
        """Show everything again: Prefect was away, or is another one now."""
        self._shown.clear()
        self._is_swept = self._tag_limits

    async def show(self, client: PrefectClient, customer: Customer) -> None:
        """Make this customer's limits equal to its cap."""
        if not self._is_swept:
            await _remove_tag_limits(client)
            self._is_swept = True
        if self._shown.get(customer.customer_id) == customer.item_cap:
            return
        name = limit_name(customer.customer_id)
        await client.upsert_global_concurrency_limit_by_name(name, customer.item_cap)
        if self._tag_limits:
            await _note(client, customer.customer_id)
            await client.create_concurrency_limit(name, customer.item_cap)
        self._shown[customer.customer_id] = customer.item_cap


async def _note(client: PrefectClient, customer_id: CustomerId) -> None:
    """Note, before it is made, that the tag limit is ours."""
    name = f"{NOTE}{customer_id}"
    if await client.read_variable_by_name(name) is None:
        try:
            await client.create_variable(VariableCreate(name=name, value=customer_id, tags=["octavo"]))
        except ObjectAlreadyExists:
            logger.debug("another API process has recorded %s", name)


async def _remove_tag_limits(client: PrefectClient) -> None:
    """Remove every tag limit that was noted as ours, and its note."""
    while True:
        body = {"variables": {"name": {"like_": NOTE}}, "limit": MOST_NOTES_READ}
        answer = await client.request("POST", "/variables/filter", json=body)
        notes = [found for found in answer.json() if found["name"].startswith(NOTE)]
        for note in notes:
            try:
                await client.delete_concurrency_limit_by_tag(limit_name(CustomerId(note["value"])))
            except ObjectNotFound:
                logger.info("the tag limit of %s was gone already", note["value"])
            try:
                await client.delete_variable_by_name(note["name"])
            except ObjectNotFound:
                logger.debug("another API process has removed %s", note["name"])
        if not notes:
            return
