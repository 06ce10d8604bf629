"""What the service says of itself is what the contract says: each path, parameter, field and code.

The facts are in `contract.yaml`. Where `OCTAVO_CONTRACT_OPENAPI` names an OpenAPI file of the contract,
the routes that file shares with the facts are compared with the service, too.
"""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml

from api.app import create_app
from octavo.ledger.memory import MemoryLedger
from octavo.objects.memory import MemoryObjects
from tests.unit.api.service import make_service, settings

FACTS: dict[str, Any] = yaml.safe_load(Path(__file__).with_name("contract.yaml").read_text(encoding="utf-8"))
ROUTES: dict[str, Any] = FACTS["routes"]
SHAPES: dict[str, Any] = FACTS["shapes"]
Schema = Mapping[str, Any]
VARIANTS = {"FileStatusKnownPart", "FileIdsError", "ResultNotReadyError", "ItemErrorCode"}
"""Shapes of the contract that only name a part of ours; the tests of the routes hold them."""


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Schema:
    """Return the OpenAPI document the service serves."""
    given = settings(tmp_path_factory.mktemp("data"))
    return create_app(make_service(given, MemoryLedger(), MemoryObjects())).openapi()


@pytest.fixture(scope="module")
def original() -> Schema:
    name = os.environ.get("OCTAVO_CONTRACT_OPENAPI")
    if name is None:
        pytest.skip("OCTAVO_CONTRACT_OPENAPI names no file")
    found: Schema = yaml.safe_load(Path(name).read_text(encoding="utf-8"))
    return found


def operation(document: Schema, route: str) -> Schema:
    method, path = route.split()
    found: Schema = document["paths"][path][method.lower()]
    return found


def parameters(document: Schema, route: str, where: str) -> dict[str, Schema]:
    found = operation(document, route).get("parameters", [])
    # Header names know no case.
    return {one["name"].lower() if where == "header" else one["name"]: one for one in found if one["in"] == where}


def resolved(document: Schema, schema: Schema) -> Schema:
    if "$ref" in schema:
        found: Schema = document["components"]["schemas"][schema["$ref"].rpartition("/")[2]]
        return found
    return schema


def kinds(document: Schema, schema: Schema) -> set[str]:
    """Return the JSON types a schema takes."""
    if "anyOf" in schema:
        return set().union(*(kinds(document, one) for one in schema["anyOf"]))
    schema = resolved(document, schema)
    kind = schema.get("type", "string" if "const" in schema or "enum" in schema else "any")
    return set(kind) if isinstance(kind, list) else {kind}


def shape(document: Schema, name: str) -> Schema:
    found: Schema = document["components"]["schemas"][name]
    return found


@pytest.mark.parametrize("route", ROUTES)
def test_every_route_of_the_contract_is_served_with_its_codes(served: Schema, route: str) -> None:
    found = operation(served, route)
    fact = ROUTES[route]
    assert found["operationId"] == fact.get("operation", found["operationId"])
    assert found["tags"] == ["v1", "async-batch"]
    missing = {code for code in fact["codes"] if str(code) not in found["responses"]}
    assert not missing


@pytest.mark.parametrize("route", ROUTES)
def test_every_parameter_is_taken_and_no_other_is_demanded(served: Schema, route: str) -> None:
    fact = ROUTES[route]
    assert set(parameters(served, route, "path")) == set(fact.get("path", []))
    query, headers = parameters(served, route, "query"), parameters(served, route, "header")
    assert set(query) >= set(fact.get("query", {}))
    assert set(headers) >= {name.lower() for name in fact.get("headers", [])}
    assert not any(one.get("required") for one in (*query.values(), *headers.values()))
    for name, bounds in fact.get("query", {}).items():
        assert {key: query[name]["schema"].get(key) for key in bounds} == bounds


@pytest.mark.parametrize("route", [route for route, fact in ROUTES.items() if "body" in fact])
def test_bodies_are_of_the_contracts_shape(served: Schema, route: str) -> None:
    body = operation(served, route)["requestBody"]
    assert body["required"]
    assert body["content"]["application/json"]["schema"]["$ref"].endswith("/" + ROUTES[route]["body"])


@pytest.mark.parametrize("route", [route for route, fact in ROUTES.items() if "answer" in fact])
def test_answers_are_of_the_contracts_shape(served: Schema, route: str) -> None:
    answer = operation(served, route)["responses"]["200"]["content"]["application/json"]["schema"]
    assert answer["$ref"].endswith("/" + ROUTES[route]["answer"])


@pytest.mark.parametrize("name", SHAPES)
def test_every_field_has_its_name_and_type(served: Schema, name: str) -> None:
    properties = shape(served, name)["properties"]
    for field, kind in SHAPES[name]["fields"].items():
        expected = {kind.removesuffix(" or null")} | ({"null"} if kind.endswith(" or null") else set())
        if kind in SHAPES:
            assert properties[field]["$ref"].endswith("/" + kind)
        else:
            assert kinds(served, properties[field]) == expected, field


@pytest.mark.parametrize("name", [name for name in SHAPES if name.endswith("Request") or name == "FilesSource"])
def test_nothing_more_is_demanded_of_a_client(served: Schema, name: str) -> None:
    assert set(shape(served, name).get("required", [])) == set(SHAPES[name]["required"])


@pytest.mark.parametrize("name", [name for name in SHAPES if not name.endswith("Request")])
def test_what_a_client_may_rely_on_is_promised(served: Schema, name: str) -> None:
    assert set(shape(served, name).get("required", [])) >= set(SHAPES[name]["required"])


def test_limits_of_the_contract_are_told(served: Schema) -> None:
    file_ids = shape(served, "FilesSource")["properties"]["file_ids"]
    assert (file_ids["minItems"], file_ids["maxItems"]) == (1, 10_000)
    file = shape(served, "CreateFileRequest")["properties"]
    assert file["size_bytes"]["exclusiveMinimum"] == 0
    assert file["filename"]["anyOf"][0]["maxLength"] == 512
    assert file["content_type"]["anyOf"][0]["maxLength"] == 128
    batch = shape(served, "CreateBatchRequest")["properties"]
    assert batch["engine"]["anyOf"][0]["maxLength"] == 64
    assert (batch["extract_text"]["default"], batch["extract_images"]["default"]) == (True, True)
    assert batch["ocr"]["default"] == "auto"
    assert batch["ocr"]["deprecated"]
    assert set(batch["ocr"]["enum"]) == {"auto", "never", "force"}
    assert shape(served, "FilesSource")["properties"]["type"]["const"] == "files"


def test_the_key_goes_where_the_contract_says(served: Schema) -> None:
    scheme = served["components"]["securitySchemes"]["APIKeyHeader"]
    assert (scheme["type"], scheme["in"], scheme["name"]) == ("apiKey", "header", "X-API-KEY")
    for route in ROUTES:
        assert {"APIKeyHeader": []} in operation(served, route)["security"]


# The original, where it is at hand


def test_the_originals_routes_are_served(served: Schema, original: Schema) -> None:
    for route in ROUTES:
        theirs = operation(original, route)
        ours = operation(served, route)
        assert set(theirs["responses"]) <= set(ours["responses"]), route
        assert ours["operationId"] == theirs.get("operationId", ours["operationId"])
        for where in ("path", "query", "header"):
            theirs_here, ours_here = parameters(original, route, where), parameters(served, route, where)
            assert set(theirs_here) <= set(ours_here), route
            for name, parameter in theirs_here.items():
                assert bool(ours_here[name].get("required")) == bool(parameter.get("required"))
                for bound in ("minimum", "maximum", "default"):
                    assert ours_here[name]["schema"].get(bound) == parameter["schema"].get(bound)


def test_the_originals_fields_are_ours(served: Schema, original: Schema) -> None:
    theirs = original["components"]["schemas"]
    compared = set(theirs) & set(SHAPES) - VARIANTS
    assert compared == set(SHAPES)
    for name in compared:
        ours = shape(served, name)
        assert set(theirs[name]["properties"]) <= set(ours["properties"]), name
        missing = set(theirs[name].get("required", [])) ^ set(ours.get("required", []))
        assert not (missing if name.endswith("Request") else missing - set(ours.get("required", []))), name
        for field, schema in theirs[name]["properties"].items():
            nullable = schema.get("x-nullability") == "unknown"
            found = kinds(served, ours["properties"][field])
            expected = kinds(original, schema)
            assert found == expected or "any" in expected | found or (nullable and found <= expected), (name, field)
