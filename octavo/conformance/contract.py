"""The claims of the extract.page batch contract, each with its section, in the order of a walk-through."""

import secrets
from collections.abc import Callable
from typing import Any

import httpx

from octavo.conformance.running import Act, Check, NotChecked, Server, body, expect

FILE_FIELDS = {
    "object",
    "id",
    "customer_id",
    "status",
    "filename",
    "content_type",
    "size_bytes",
    "sha256",
    "created_at",
}
BATCH_FIELDS = {"object", "id", "status", "counts", "total_items", "engine", "options", "metadata", "created_at"}
ITEM_FIELDS = {"id", "batch_id", "file_id", "position", "status", "attempts", "updated_at", "result_url", "error"}
COUNTS = {"pending", "running", "succeeded", "failed", "cancelled"}
CHECKS: list[Check] = []


def a_pdf(text: str = "One page.") -> bytes:
    """Return a small PDF of one page."""
    drawn = f"BT /F1 24 Tf 72 700 Td ({text}) Tj ET".encode("ascii")
    objects = [
        b"<< /Type /Catalog /Pages 2 0 R >>",
        b"<< /Type /Pages /Kids [3 0 R] /Count 1 >>",
        b"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 612 792] /Contents 4 0 R"
        b" /Resources << /Font << /F1 << /Type /Font /Subtype /Type1 /BaseFont /Helvetica >> >> >> >>",
        b"<< /Length %d >>\nstream\n%s\nendstream" % (len(drawn), drawn),
    ]
    pdf, places = b"%PDF-1.4\n", []
    for number, one in enumerate(objects, 1):
        places.append(len(pdf))
        pdf += b"%d 0 obj\n%s\nendobj\n" % (number, one)
    rows = b"".join(b"%010d 00000 n \n" % place for place in places)
    return pdf + b"xref\n0 5\n0000000000 65535 f \n%strailer << /Size 5 /Root 1 0 R >>\nstartxref\n%d\n%%%%EOF\n" % (
        rows,
        len(pdf),
    )


def check(section: str, claim: str, *, extension: bool = False) -> Callable[[Act], Act]:
    """Register a check."""

    def added(act: Act) -> Act:
        CHECKS.append(Check(section, claim, act, extension))
        return act

    return added


def _error(answer: httpx.Response, status: int, code: str) -> dict[str, Any]:
    found: dict[str, Any] = body(answer, status)
    expect(found.get("error") == code, f"error is {found.get('error')!r}, not {code!r}")
    return found


@check("2.0", "a wrong key is refused")
def _(server: Server) -> str:
    answer = server.stranger.get("/v1/batches")
    expect(answer.status_code in (401, 403), f"{answer.status_code}")
    return f"{answer.status_code} {answer.text[:80]}"


@check("2.5", "staging a file gives an id and a presigned upload")
def _(server: Server) -> str:
    staged = body(server.api.post("/v1/files", json={"filename": "a.pdf", "size_bytes": 10}), 200)
    expect(staged.keys() >= FILE_FIELDS, f"missing: {sorted(FILE_FIELDS - staged.keys())}")
    expect(staged["upload"].keys() >= {"method", "url", "expires_at"}, f"upload has {sorted(staged['upload'])}")
    server.things["pending file"] = staged["id"]
    return f"{staged['id']}, {staged['upload']['method']}, {staged['status']}"


@check("2.5", "bad sizes and names are a 422 with a list of details")
def _(server: Server) -> str:
    bodies = [
        {"size_bytes": 0},
        {},
        {"size_bytes": 1, "filename": "x" * 513},
        {"size_bytes": 1, "content_type": "x" * 129},
    ]
    for one in bodies:
        detail = body(server.api.post("/v1/files", json=one), 422)["detail"]
        expect(all(row.keys() >= {"loc", "msg", "type"} for row in detail) and bool(detail), f"detail: {detail}")
    return f"{len(bodies)} bodies"


@check("2.5", "a size over the cap is a 413")
def _(server: Server) -> str:
    answer = server.api.post("/v1/files", json={"size_bytes": 10**12})
    expect(answer.status_code == 413, f"{answer.status_code}")
    return answer.text[:80]


@check("2.5", "a plain PUT of the bytes, without any header, is taken")
def _(server: Server) -> str:
    server.things["file"] = server.stage(a_pdf())["id"]
    server.things["second file"] = server.stage(b"no document at all", "b.pdf")["id"]
    return str(server.things["file"])


@check("2.6", "a file's status can be asked for")
def _(server: Server) -> str:
    return str(body(server.api.get(f"/v1/files/{server.thing('file')}"), 200)["status"])


@check("2.7", "unknown files are a 404 that lists them")
def _(server: Server) -> str:
    ids = ["file_of_nobody", server.thing("file")]
    answer = server.api.post("/v1/batches", json={"source": {"type": "files", "file_ids": ids}})
    found = _error(answer, 404, "file_not_found")
    expect(found["file_ids"] == ["file_of_nobody"], f"file_ids: {found['file_ids']}")
    return "file_not_found"


@check("2.7", "files without bytes are a 409 that lists them")
def _(server: Server) -> str:
    ids = [server.thing("pending file"), server.thing("file")]
    found = _error(server.api.post("/v1/batches", json={"source": {"file_ids": ids}}), 409, "file_not_uploaded")
    expect(found["file_ids"] == [server.thing("pending file")], f"file_ids: {found['file_ids']}")
    return "file_not_uploaded"


@check("2.7", "no file, and a list of 10,001, are a 422")
def _(server: Server) -> str:
    for ids in ([], [server.thing("file")] * 10_001):
        body(server.api.post("/v1/batches", json={"source": {"file_ids": ids}}), 422)
    return "422 twice"


@check("2.7", "a batch of staged files is created, pending, with its metadata")
def _(server: Server) -> str:
    asked = {
        "source": {"type": "files", "file_ids": [server.thing("file"), server.thing("second file")]},
        "metadata": {"check": [1, None, "ü"]},
    }
    key = secrets.token_hex(16)
    made = body(server.api.post("/v1/batches", json=asked, headers={"Idempotency-Key": key}), 200)
    expect(made.keys() >= BATCH_FIELDS | {"expires_at"}, f"missing: {sorted(BATCH_FIELDS - made.keys())}")
    expect(made["counts"].keys() >= COUNTS, f"counts: {made['counts']}")
    expect(made["metadata"] == asked["metadata"] and made["total_items"] == 2, f"{made['metadata']}")
    server.things |= {"batch": made["id"], "asked": asked, "key": key}
    return f"{made['id']}, {made['status']}"


@check("2.7", "the same Idempotency-Key gives the same batch")
def _(server: Server) -> str:
    headers = {"Idempotency-Key": server.thing("key")}
    again = body(server.api.post("/v1/batches", json=server.thing("asked"), headers=headers), 200)
    expect(again["id"] == server.thing("batch"), f"{again['id']} is another batch")
    return "the same id"


@check("2.9, 4", "polling by cursor sees every item to its end")
def _(server: Server) -> str:
    ended = server.ended(server.thing("batch"))
    items = sorted(ended["items"], key=lambda item: item["position"])
    expect(all(item.keys() >= ITEM_FIELDS for item in items), f"items have {sorted(items[0])}")
    expect([item["position"] for item in items] == [0, 1], f"positions: {[item['position'] for item in items]}")
    server.things["items"] = items
    expect(ended["status"] == "partially_failed", f"status {ended['status']} of one good and one bad file")
    return ", ".join(f"{item['status']}" for item in items)


@check("4", "bytes that are no document are unsupported_input, whatever their name")
def _(server: Server) -> str:
    item = server.thing("items")[1]
    expect(item["status"] == "failed", f"status {item['status']}")
    expect(item["error"]["code"] == "unsupported_input", f"{item['error']}")
    return str(item["error"])


@check("2.11", "a result is a redirect to storage, and a list of chunks")
def _(server: Server) -> str:
    item = server.thing("items")[0]
    path = f"/v1/batches/{item['batch_id']}/items/{item['id']}/result"
    answer = server.api.get(path)
    expect(answer.status_code in (200, 302), f"{answer.status_code}")
    if answer.status_code == 302:
        answer = server.plain.get(answer.headers["location"])
    chunks = body(answer, 200)["chunks"]
    text = " ".join(chunk["page_content"] for chunk in chunks)
    expect("One page." in text, f"the text is {text[:80]!r}")
    expect(all(len(chunk["bbox"]) == 4 and chunk["page_no"] == 1 for chunk in chunks), f"{chunks[0]}")
    return f"{len(chunks)} chunk(s): {text[:60]}"


@check("2.11", "the result of a failed item is a 409 with its status")
def _(server: Server) -> str:
    item = server.thing("items")[1]
    answer = server.api.get(f"/v1/batches/{item['batch_id']}/items/{item['id']}/result")
    found = _error(answer, 409, "result_not_ready")
    expect(found["status"] == "failed", f"status: {found['status']}")
    return "result_not_ready"


@check("2.9", "limits are 1 to 500, a broken cursor is refused")
def _(server: Server) -> str:
    path = f"/v1/batches/{server.thing('batch')}"
    for limit in (0, 501):
        body(server.api.get(path, params={"limit": limit}), 422)
    broken = server.api.get(path, params={"cursor": "nonsense"})
    expect(400 <= broken.status_code < 500, f"a broken cursor: {broken.status_code}")
    page = body(server.api.get(path, params={"limit": 1}), 200)
    expect(len(page["items"]) == 1 and bool(page["next_cursor"]), f"{len(page['items'])} items of limit 1")
    return f"a broken cursor: {broken.status_code}"


@check("2.8", "batches are listed, by status and by cursor")
def _(server: Server) -> str:
    page = body(server.api.get("/v1/batches", params={"limit": 200, "status": "partially_failed"}), 200)
    expect(page["object"] == "list" and "next_cursor" in page, f"{sorted(page)}")
    expect(server.thing("batch") in [one["id"] for one in page["data"]], "the batch is not in the list")
    for limit in (0, 201):
        body(server.api.get("/v1/batches", params={"limit": limit}), 422)
    return f"{len(page['data'])} batches"


@check("2.10, 4", "a cancel ends pending items; it may be repeated")
def _(server: Server) -> str:
    ids = [server.thing("file")] * 40
    made = body(server.api.post("/v1/batches", json={"source": {"file_ids": ids}}), 200)
    body(server.api.post(f"/v1/batches/{made['id']}/cancel"), 200)
    ended = server.ended(made["id"])
    expect(ended["counts"]["pending"] == ended["counts"]["running"] == 0, f"{ended['counts']}")
    expected = "completed" if ended["counts"]["succeeded"] else "cancelled"
    expect(ended["status"] == expected, f"{ended['status']} with {ended['counts']}")
    body(server.api.post(f"/v1/batches/{made['id']}/cancel"), 200)
    return f"{ended['status']}: {ended['counts']['cancelled']} cancelled, {ended['counts']['succeeded']} succeeded"


@check("2.9, 2.11", "a batch that does not exist is a 404 everywhere")
def _(server: Server) -> str:
    for method, path in (("GET", ""), ("POST", "/cancel"), ("GET", "/items/item_x/result")):
        body(server.api.request(method, f"/v1/batches/batch_of_nobody{path}"), 404)
    return "404 three times"


@check("2.11", "another customer's batch is one that does not exist")
def _(server: Server) -> str:
    if server.other is None:
        raise NotChecked("needs a key of another customer: --other-key")
    path = f"/v1/batches/{server.thing('batch')}"
    for method, more in (("GET", ""), ("POST", "/cancel"), ("GET", f"/items/{server.thing('items')[0]['id']}/result")):
        body(server.other.request(method, path + more), 404)
    body(server.other.post("/v1/batches", json={"source": {"file_ids": [server.thing("file")]}}), 404)
    return "404 four times"


@check("2.2, 3", "one document is read while its sender waits")
def _(server: Server) -> str:
    answer = server.api.post("/v1/extract/file", files={"file": ("check.pdf", a_pdf("At once."))}, timeout=300)
    chunks = body(answer, 200)["chunks"]
    expect("At once." in " ".join(chunk["page_content"] for chunk in chunks), f"{chunks}")
    return f"{len(chunks)} chunk(s)"


@check("2.1", "without a URL, or with odd options, there is a 4xx")
def _(server: Server) -> str:
    for one in ({}, {"url": 5}, {"url": "https://example.org/a.pdf", "ocr": "maybe"}):
        answer = server.api.post("/v1/extract", json=one)
        expect(400 <= answer.status_code < 500, f"{one}: {answer.status_code}")
    return "4xx three times"


@check("-", "a batch can be waited for", extension=True)
def _(server: Server) -> str:
    return str(body(server.api.get(f"/v1/batches/{server.thing('batch')}", params={"wait": 1}), 200)["status"])


@check("-", "files are staged in bulk", extension=True)
def _(server: Server) -> str:
    answer = server.api.post("/v1/files/bulk", json={"files": [{"size_bytes": 1}, {"size_bytes": 2}]})
    return f"{len(body(answer, 200)['data'])} files"


@check("-", "engines are listed", extension=True)
def _(server: Server) -> str:
    return ", ".join(one["name"] for one in body(server.api.get("/v1/engines"), 200)["data"])
