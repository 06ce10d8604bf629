"""What the service says of itself is what the contract says: each path, parameter, field, type and code.

The contract is `contract.yaml`, or the OpenAPI file that `OCTAVO_CONTRACT_OPENAPI` names. What is served is
kept beside it as `openapi.json`, and what it adds to the contract as `additions.txt`.
"""

import copy
import json
from collections.abc import Callable, Mapping
from typing import Any

import pytest

from api.http.failures import STATUS
from api.http.problem_examples import FACTS as SHOWN
from scripts import openapi, reference
from tests.architecture.openapi_comparison import additions, deviations, operations

NOT_YET: set[str] = set()
"""What of the contract is not served. A line comes off when it is there; the test asks for it."""
RENEW = "python -m scripts.openapi"
Document = dict[str, Any]


@pytest.fixture(scope="module")
def served() -> Mapping[str, Any]:
    return openapi.served()


@pytest.fixture(scope="module")
def contract() -> Mapping[str, Any]:
    return openapi.contract()


def test_the_service_is_what_the_contract_says(contract: Mapping[str, Any], served: Mapping[str, Any]) -> None:
    assert set(deviations(contract, served)) == NOT_YET


def test_the_served_document_is_the_golden_copy() -> None:
    assert openapi.golden() == openapi.GOLDEN.read_text(encoding="utf-8"), f"the interface has changed: {RENEW}"


def test_additions_to_the_contract_are_listed() -> None:
    assert openapi.added() == openapi.ADDITIONS.read_text(encoding="utf-8"), f"the interface has changed: {RENEW}"


def test_a_route_of_the_contract_that_is_not_served_is_seen(
    contract: Mapping[str, Any], served: Mapping[str, Any]
) -> None:
    # What is missing today would hide what goes missing tomorrow if it were not named one by one.
    assert {f"{route}: missing" for route in set(operations(contract)) - set(operations(served))} <= NOT_YET


# The comparison itself: whatever goes wrong, it says so


def _post(document: Document, path: str) -> Document:
    found: Document = document["paths"][path]["post"]
    return found


def _shape(document: Document, name: str) -> Document:
    found: Document = document["components"]["schemas"][name]
    return found


def _get(document: Document, path: str) -> Document:
    found: Document = document["paths"][path]["get"]
    return found


def _scheme(document: Document, name: str) -> Document:
    found: Document = document["components"]["securitySchemes"][name]
    return found


def _limit(document: Document) -> Document:
    (found,) = (one for one in _get(document, "/v1/batches")["parameters"] if one["name"] == "limit")
    assert isinstance(found, dict)
    return found


FAULTS: list[tuple[str, Callable[[Document], object]]] = [
    ("GET /v1/batches: missing", lambda d: d["paths"]["/v1/batches"].pop("get")),
    ("operationId is other", lambda d: _post(d, "/v1/files").update(operationId="other")),
    ("tags are ['v1']", lambda d: _post(d, "/v1/files").update(tags=["v1"])),
    ("security lacks", lambda d: _post(d, "/v1/files").update(security=[])),
    (
        "security APIKeyHeader: name is not",
        lambda d: d["components"]["securitySchemes"]["APIKeyHeader"].update(name="K"),
    ),
    (
        "query parameter limit: maximum is 100",
        lambda d: _get(d, "/v1/batches")["parameters"][2]["schema"].update(maximum=100),
    ),
    (
        "query parameter limit: default is None",
        lambda d: _get(d, "/v1/batches")["parameters"][2]["schema"].pop("default"),
    ),
    ("query parameter status is missing", lambda d: _get(d, "/v1/batches")["parameters"].pop(0)),
    ("query parameter status: required", lambda d: _get(d, "/v1/batches")["parameters"][0].update(required=True)),
    ("header parameter idempotency-key is missing", lambda d: _post(d, "/v1/batches")["parameters"].clear()),
    (
        "header parameter x is demanded",
        lambda d: _post(d, "/v1/batches")["parameters"].append({"in": "header", "name": "X", "required": True}),
    ),
    ("takes no body", lambda d: _post(d, "/v1/files").pop("requestBody")),
    ("body: application/json is missing", lambda d: _post(d, "/v1/files")["requestBody"]["content"].clear()),
    ("answer 413 is missing", lambda d: _post(d, "/v1/files")["responses"].pop("413")),
    (
        "header Location is missing",
        lambda d: _get(d, "/v1/batches/{batch_id}/items/{item_id}/result")["responses"]["302"].pop("headers"),
    ),
    ("body: demands filename", lambda d: _shape(d, "CreateFileRequest")["required"].append("filename")),
    ("body: size_bytes need not be there", lambda d: _shape(d, "CreateFileRequest").pop("required")),
    (
        "body.filename: maxLength is 511",
        lambda d: _shape(d, "CreateFileRequest")["properties"]["filename"]["anyOf"][0].update(maxLength=511),
    ),
    (
        "body.size_bytes: type is number, not integer",
        lambda d: _shape(d, "CreateFileRequest")["properties"]["size_bytes"].update(type="number"),
    ),
    ("body.ocr: values are", lambda d: _shape(d, "CreateBatchRequest")["properties"]["ocr"]["enum"].pop()),
    ("body.source.type: values are", lambda d: _shape(d, "FilesSource")["properties"]["type"].update(const="file")),
    (
        "body.metadata: type is object, not null or object",
        lambda d: _shape(d, "CreateBatchRequest")["properties"]["metadata"]["anyOf"].pop(),
    ),
    ("answer 200.upload.method is missing", lambda d: _shape(d, "UploadDescriptor")["properties"].pop("method")),
    ("answer 200: upload need not be there", lambda d: _shape(d, "CreateFileResponse")["required"].remove("upload")),
    (
        "answer 200.started_at: type is string, not null or string",
        lambda d: _shape(d, "BatchResource")["properties"]["started_at"]["anyOf"].pop(),
    ),
    ("answer 200.items[].attempts is missing", lambda d: _shape(d, "BatchItemResource")["properties"].pop("attempts")),
    (
        "answer 200.items[].position: type is string",
        lambda d: _shape(d, "BatchItemResource")["properties"]["position"].update(type="string"),
    ),
    ("answer 404.file_ids is missing", lambda d: _shape(d, "FileIdsError")["properties"].pop("file_ids")),
    ("answer 200: closed to further", lambda d: _shape(d, "BatchResource").update(additionalProperties=False)),
    (
        "shape is called Other, not BatchResource",
        lambda d: (
            d["components"]["schemas"].update(Other=_shape(d, "BatchResource")),
            _post(d, "/v1/batches")["responses"]["200"]["content"]["application/json"].update(
                schema={"$ref": "#/components/schemas/Other"}
            ),
        ),
    ),
    ("answer 422: type is", lambda d: _shape(d, "HTTPValidationError").update(type="array")),
]


@pytest.mark.parametrize(("told", "plant"), FAULTS, ids=[told for told, _ in FAULTS])
def test_a_planted_deviation_is_told(
    contract: Mapping[str, Any], served: Mapping[str, Any], told: str, plant: Callable[[Document], object]
) -> None:
    changed = copy.deepcopy(dict(served))
    plant(changed)
    found = set(deviations(contract, changed)) - NOT_YET
    assert [one for one in found if told in one], found


def test_what_is_added_is_no_deviation(contract: Mapping[str, Any], served: Mapping[str, Any]) -> None:
    changed = copy.deepcopy(dict(served))
    changed["paths"]["/v1/more"] = {"get": _get(changed, "/v1/batches")}
    _shape(changed, "BatchResource")["properties"]["more"] = {"type": "string"}
    assert set(deviations(contract, changed)) == NOT_YET
    assert {"GET /v1/more", "BatchResource.more"} <= set(additions(contract, changed))


# Beyond the contract


def test_ocr_is_told_to_be_without_effect(served: Mapping[str, Any]) -> None:
    assert served["components"]["schemas"]["CreateBatchRequest"]["properties"]["ocr"]["deprecated"]


def test_every_error_answer_has_its_shape_and_an_example_of_each_code(served: Mapping[str, Any]) -> None:
    for route, operation in operations(served).items():
        for status, answer in operation["responses"].items():
            if int(status) >= 400 and route != "GET /health":
                content = answer["content"]["application/json"]
                assert content["schema"], (route, status)
                assert content["examples"], (route, status)
                for name, shown in content["examples"].items():
                    body = shown["value"]
                    assert name == "validation" or (body["error"] == name and body["message"]), (route, status)
                    assert f"`{name}`" in answer["description"] or name == "validation"


def test_every_route_with_a_body_tells_of_bodies_that_are_too_long_or_wrong(served: Mapping[str, Any]) -> None:
    for route, operation in operations(served).items():
        if "requestBody" in operation:
            assert "request_too_large" in operation["responses"]["413"]["content"]["application/json"]["examples"], (
                route
            )
            assert "validation" in operation["responses"]["422"]["content"]["application/json"]["examples"], route


def test_every_closed_route_tells_of_its_keys_and_of_a_ledger_in_trouble(served: Mapping[str, Any]) -> None:
    for route, operation in operations(served).items():
        if route != "GET /health":
            assert operation["security"], route
            assert {"401", "500", "503"} <= set(operation["responses"]), route


def test_examples_of_errors_carry_the_facts_their_tree_names() -> None:
    of_requests = {cls.__name__ for cls in STATUS}
    named = {cls: fact for cls, fact in reference.facts_by_class().items() if fact and cls in of_requests}
    shown = {cls.__name__: " ".join(facts) for cls, facts in SHOWN.items()}
    assert shown == named


def test_the_document_is_json_a_strict_client_reads(served: Mapping[str, Any]) -> None:
    text = json.dumps(served, allow_nan=False)
    assert json.loads(text)["openapi"].startswith("3.1")
