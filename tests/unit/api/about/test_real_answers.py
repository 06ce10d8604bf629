"""What the API's description says of answers is what answers are: every schema, every example, every field."""

import copy
import re
from collections.abc import Iterator, Mapping
from typing import Any

import httpx
import jsonschema  # type: ignore[import-untyped]
import pytest

from octavo.identifiers import new_batch_id
from tests.unit.api.service import ADMIN_TOKEN, Api, failed, succeeded

pytestmark = pytest.mark.anyio
Json = dict[str, Any]
JSON = "application/json"


def responses(document: Mapping[str, Any]) -> Iterator[tuple[str, str, str, Json]]:
    """Yield method, path, status and description of every answer in JSON."""
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            for status, response in operation.get("responses", {}).items():
                if JSON in response.get("content", {}):
                    yield method.upper(), path, status, response["content"][JSON]


def closed(node: Any) -> Any:  # noqa: ANN401 - any part of a schema
    """Return a schema that has no room for fields it does not name."""
    if isinstance(node, list):
        return [closed(one) for one in node]
    if not isinstance(node, dict):
        return node
    found = {name: closed(value) for name, value in node.items()}
    if isinstance(found.get("properties"), dict) and found.get("type") == "object":
        found.setdefault("additionalProperties", False)
    return found


class Description:
    """The description of one app, to hold answers against."""

    def __init__(self, document: Json) -> None:
        self._schemas = closed(copy.deepcopy(document["components"]))
        self.answers = list(responses(document))
        self.seen: set[tuple[str, str, str]] = set()

    def check(self, answer: httpx.Response) -> None:
        """Fail unless an answer is described, with all of its fields."""
        asked, status = answer.request, str(answer.status_code)
        method, path, _, described = next(
            one
            for one in self.answers
            if (one[0], one[2]) == (asked.method, status)
            and re.fullmatch(re.sub(r"\{\w+\}", "[^/]+", one[1]), asked.url.path)
        )
        body = answer.json()
        if "error" in body or "detail" in body:
            shown = described["examples"]["validation" if "detail" in body else body["error"]]["value"]
            assert set(shown) == set(body), f"{method} {path}: the example has {set(shown)}, an answer {set(body)}"
            assert {name: type(value) for name, value in shown.items()} == {
                name: type(value) for name, value in body.items()
            }
        else:
            self.validate(body, closed(described["schema"]))
        self.seen.add((method, path, body.get("error", status)))

    def validate(self, body: object, schema: Json) -> None:
        """Fail unless a body fits a schema of this description."""
        jsonschema.validate(body, {**schema, "components": self._schemas})


@pytest.fixture
def description(api: Api) -> Description:
    return Description(api.app.openapi())


async def test_every_example_fits_the_schema_of_its_answer(description: Description) -> None:
    examples = 0
    for method, path, status, described in description.answers:
        for name, example in described.get("examples", {}).items():
            examples += 1
            try:
                # What is shown of a refusal may have facts besides the fields that all have.
                jsonschema.validate(example["value"], {**described["schema"], "components": open_schemas(description)})
            except jsonschema.ValidationError as error:
                pytest.fail(f"{method} {path} {status} {name}: {error.message}")
    assert examples > 200


def open_schemas(description: Description) -> Any:  # noqa: ANN401 - any part of a schema
    return {
        "schemas": {
            name: {key: value for key, value in schema.items() if key != "additionalProperties"}
            for name, schema in description._schemas["schemas"].items()
        }
    }


async def test_answers_of_files_and_batches_are_as_described(api: Api, description: Description) -> None:
    http, check = api.http, description.check
    check(await http.get("/health"))
    check(await http.post("/v1/files", json={"size_bytes": 5, "filename": "a.pdf"}))
    check(await http.post("/v1/files/bulk", json={"files": [{"size_bytes": 5}]}))
    check(await http.get(f"/v1/files/{await api.upload()}"))
    check(await api.submit([await api.upload()], metadata={"a": 1}))
    batch_id = await api.batch(3)
    check(await http.get(f"/v1/batches/{batch_id}"))
    api.finish_all(batch_id, succeeded(2), failed(), failed())
    check(await http.get(f"/v1/batches/{batch_id}"))
    check(await http.get("/v1/batches"))
    check(await http.post(f"/v1/batches/{batch_id}/retry_failed"))
    check(await http.post(f"/v1/batches/{batch_id}/cancel"))
    check(await http.get("/v1/usage"))
    check(await http.get("/v1/engines"))
    assert len(description.seen) == 11


async def test_answers_about_webhooks_are_as_described(api: Api, description: Description) -> None:
    http, check = api.http, description.check
    made = await http.post("/v1/webhooks", json={"url": "https://you.example/octavo"})
    check(made)
    path = f"/v1/webhooks/{made.json()['id']}"
    check(await http.get("/v1/webhooks"))
    check(await http.get(path))
    check(await http.patch(path, json={"events": ["batch.completed"]}))
    check(await http.post(f"{path}/rotate"))
    check(await http.post(f"{path}/ping"))
    deliveries = await http.get(f"{path}/deliveries")
    check(deliveries)
    (delivery,) = deliveries.json()["data"]
    check(await http.get(f"/v1/webhooks/deliveries/{delivery['id']}"))
    check(await http.delete(path))
    assert len(description.seen) == 9


async def test_answers_to_the_operator_are_as_described(api: Api, description: Description) -> None:
    admin, check = api.client(Authorization=f"Bearer {ADMIN_TOKEN}"), description.check
    made = await admin.post("/admin/customers", json={"name": "globex", "item_cap": 4})
    check(made)
    customer = f"/admin/customers/{made.json()['id']}"
    check(await admin.get("/admin/customers"))
    check(await admin.patch(customer, json={"item_cap": 5}))
    key = await admin.post("/admin/keys", json={"customer": "globex"})
    check(key)
    keys = await admin.get(f"{customer}/keys")
    check(keys)
    check(await admin.delete(f"/admin/keys/{keys.json()['data'][0]['id']}"))
    check(await admin.get("/admin/usage"))
    check(await admin.get("/admin/usage/audit"))
    check(await admin.patch(customer, json={"item_cap": 0}))
    check(await admin.patch("/admin/customers/cust_none", json={"item_cap": 1}))
    check(await admin.delete("/admin/keys/key_none"))
    check(await api.client(Authorization="Bearer wrong").get("/admin/customers"))
    assert len(description.seen) == 12


async def test_refusals_have_the_fields_of_their_examples(api: Api, description: Description) -> None:
    http, check = api.http, description.check
    batch_id = await api.batch()
    item = f"/v1/batches/{batch_id}/items/{api.items(batch_id)[0].item_id}"
    check(await api.client(X_API_KEY="wrong").get("/v1/batches"))
    check(await http.get(f"/v1/batches/{new_batch_id()}"))
    check(await http.get("/v1/batches?cursor=x"))
    check(await http.get("/v1/batches?status=x"))
    check(await http.get("/v1/batches?limit=0"))
    check(await http.get("/v1/files/file_none"))
    check(await http.get(f"/v1/batches/{batch_id}/items/item_none/result"))
    check(await http.get(f"{item}/result"))
    check(await http.post("/v1/files", json={"size_bytes": 10**12}))
    check(await http.post("/v1/files/bulk", json={"files": [{"size_bytes": 5}, {"size_bytes": 10**12}]}))
    check(await api.submit(["file_none"]))
    check(await api.submit([(await api.stage())["id"]]))
    check(await api.submit([await api.upload()], engine="nobody"))
    check(await api.submit([await api.upload()], metadata={"a": "x" * 20_000}))
    check(await http.delete(f"/v1/batches/{batch_id}"))
    check(await http.get("/v1/webhooks/hook_none"))
    check(await http.get("/v1/webhooks/deliveries/delivery_none"))
    check(await http.post("/v1/webhooks", json={"url": "http://127.0.0.1/"}))
    check(await http.get("/v1/usage?from=never"))
    assert len(description.seen) >= 18
