"""How an object in storage is answered: a redirect to it, or to a page in a browser its bytes.

A page's own request bears the API key, which storage does not let through, and after a redirect to another origin the
browser calls the page `null`: neither storage nor its CORS rules know what to make of that.
"""

from typing import Annotated

from fastapi import Depends, Request, Response
from fastapi.responses import RedirectResponse

from api.http.dependencies import ServiceDep
from api.http.file_answer import FileAnswer
from api.threads import in_thread
from octavo.service.results import Results, StoredObject

ANY = "*"


async def asked_by_page(request: Request, service: ServiceDep) -> bool:
    """Return whether a script of a page asks: one of an allowed origin, or of this service's own."""
    headers, allowed = request.headers, service.settings.api.allowed_origins
    is_own = headers.get("sec-fetch-site") == "same-origin" and headers.get("sec-fetch-mode") == "cors"
    origin = headers.get("origin")
    return is_own or (origin is not None and (origin in allowed or ANY in allowed))


AskedByPageDep = Annotated[bool, Depends(asked_by_page)]


async def stored_answer(results: Results, found: StoredObject, *, for_page: bool) -> Response:
    """Return the way to an object, or the object; nobody keeps either, as they end. Raises as `Results.open` does."""
    headers = {"Cache-Control": "no-store"}
    if not for_page:
        link = await in_thread(lambda: results.link(found))
        return RedirectResponse(link, status_code=302, headers=headers)
    file = await in_thread(lambda: results.open(found))
    return FileAnswer(file, media_type=found.media_type, headers=headers | {"X-Content-Type-Options": "nosniff"})
