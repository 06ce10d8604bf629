"""`/v1/results/{id}/images/{n}`: a redirect to a figure that is too large for its result."""

from fastapi import APIRouter, Response
from fastapi.responses import RedirectResponse

from api.http.auth import CustomerDep
from api.http.dependencies import ServiceDep
from api.http.problems import problems
from api.v1.results import link_seconds
from octavo.errors import CustomerDisabled, InvalidApiKey, ItemNotFound, ResultExpired, StorageUnavailable
from octavo.identifiers import ResultId
from octavo.objects import keys
from octavo.timestamps import now

router = APIRouter(prefix="/v1/results", tags=["v1"])
LOOK_SECONDS = 10.0


@router.get(
    "/{result_id}/images/{number}",
    operation_id="get_result_image_v1",
    summary="Get Result Image Endpoint",
    response_class=Response,
    status_code=302,
    responses={
        302: {
            "description": "Redirect to a presigned storage GET for the image.",
            "headers": {"Location": {"schema": {"type": "string"}}},
        },
        **problems(InvalidApiKey, CustomerDisabled, ItemNotFound, ResultExpired, StorageUnavailable),
    },
)
def get_image(result_id: str, number: int, customer: CustomerDep, service: ServiceDep) -> RedirectResponse:
    """Get a figure of one of your results; a chunk's `image_url` is this address."""
    try:
        # The key contains the customer's own id, so nobody else's results can be reached.
        key = keys.result_image_key(customer.customer_id, ResultId(result_id), number)
    except ValueError as error:
        raise ItemNotFound("There is no such image.") from error
    expires_at = service.ledger.lifetimes.result_expires_at(customer.customer_id, ResultId(result_id))
    if expires_at is None:
        raise ItemNotFound("There is no such image; use the `image_url` of a result's chunk.")
    seconds = link_seconds((expires_at - now()).total_seconds(), service.settings.storage.presign_get_seconds)
    if not service.objects.sizes([key], time_limit_seconds=LOOK_SECONDS):
        raise ItemNotFound("There is no such image; a result's images are deleted with the result.")
    link = service.objects.presign_get(
        key,
        expires_seconds=seconds,
        # Storage forgets types; browsers know an image by its bytes.
        content_type="application/octet-stream",
    )
    return RedirectResponse(link.url, status_code=302, headers={"Cache-Control": "no-store"})
