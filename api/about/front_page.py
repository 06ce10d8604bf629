"""`GET /`: a page with links to everything else."""

from html import escape

from fastapi import APIRouter
from fastapi.responses import HTMLResponse

from api.http.dependencies import ServiceDep
from octavo import __version__

router = APIRouter(include_in_schema=False)
PAGE = """<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>Octavo</title>
<meta name="viewport" content="width=device-width, initial-scale=1">
<style>
 body {{ font: 16px/1.5 system-ui, sans-serif; max-width: 42rem; margin: 4rem auto; padding: 0 1rem; color: #222 }}
 h1 {{ font-weight: 600; margin-bottom: 0 }} p.lead {{ color: #555; margin-top: .2rem }}
 a {{ color: #0b57a4 }} code {{ background: #f2f2f2; padding: .1rem .3rem; border-radius: 3px }}
</style></head><body>
<h1>Octavo</h1><p class="lead">Documents in, structured data out. Version {version}.</p>
<ul>{links}</ul>
<p>A first batch: <code>octavo submit FILES... --url {api} --key KEY --out results</code></p>
</body></html>
"""


@router.get("/")
def front_page(service: ServiceDep) -> HTMLResponse:
    """Show the links."""
    links = [("API reference", "/docs"), ("Health of each part", "/health"), ("Source of this service", "/source")]
    rows = "".join(f'<li><a href="{escape(url, quote=True)}">{escape(text)}</a></li>' for text, url in links)
    api = escape(service.settings.api.public_url or "http://HOST:PORT")
    return HTMLResponse(PAGE.format(version=escape(__version__), links=rows, api=api))
