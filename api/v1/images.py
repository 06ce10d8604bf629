"""`/v1/results/{id}/images/{n}`: a redirect to a figure that is too large for its result."""

from fastapi import APIRouter, Response

from api.http.auth import CustomerDep
from api.http.problems import problems
from api.http.stored_answer import AskedByPageDep, stored_answer
from api.http.use_cases import ResultsDep
from api.threads import in_thread
from octavo.errors import CustomerDisabled, InvalidApiKey, ItemNotFound, ResultExpired, StorageUnavailable
from octavo.identifiers import ResultId

router = APIRouter(prefix="/v1/results", tags=["v1"])


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
async def get_image(
    result_id: str, number: int, customer: CustomerDep, results: ResultsDep, for_page: AskedByPageDep
) -> Response:
    """Get a figure of one of your results; a chunk's `image_url` is this address."""
    found = await in_thread(lambda: results.figure(customer.customer_id, ResultId(result_id), number))
    return await stored_answer(results, found, for_page=for_page)
