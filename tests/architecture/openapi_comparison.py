"""Compares two OpenAPI documents: whether one that is served holds what another promises, and what it adds."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

Schema = Mapping[str, Any]
METHODS = ("get", "put", "post", "delete", "patch")
BOUNDS = (
    "minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum",
    "minLength", "maxLength", "minItems", "maxItems",
)  # fmt: skip
OPEN: Schema = {}


def deviations(promised: Schema, served: Schema) -> list[str]:
    """Return every way in which `served` is not what `promised` says."""
    return list(_Comparison(promised, served).run())


def additions(promised: Schema, served: Schema) -> list[str]:
    """Return what `served` has and `promised` has not: routes, parameters, answers, fields."""
    found = []
    for route, ours in operations(served).items():
        theirs = operations(promised).get(route)
        if theirs is None:
            found.append(f"{route}")
            continue
        for where, name in sorted(set(_parameters(ours)) - set(_parameters(theirs))):
            found.append(f"{route}: {where} parameter {name}")
        found += [f"{route}: answer {code}" for code in sorted(set(ours["responses"]) - set(theirs["responses"]))]
    theirs_named, ours_named = (document.get("components", {}).get("schemas", {}) for document in (promised, served))
    for name in sorted(set(theirs_named) & set(ours_named)):
        fields = set(ours_named[name].get("properties", {})) - set(theirs_named[name].get("properties", {}))
        found += [f"{name}.{one}" for one in sorted(fields)]
    return found


def operations(document: Schema) -> dict[str, Schema]:
    """Return every operation by method and path."""
    return {
        f"{method.upper()} {path}": methods[method]
        for path, methods in document["paths"].items()
        for method in METHODS
        if method in methods
    }


def _parameters(operation: Schema) -> dict[tuple[str, str], Schema]:
    # Header names know no case.
    return {
        (one["in"], one["name"].lower() if one["in"] == "header" else one["name"]): one
        for one in operation.get("parameters", [])
    }


@dataclass
class _Comparison:
    """One look at both documents."""

    promised: Schema
    served: Schema
    under_way: list[tuple[str, str]] = field(default_factory=list)

    def run(self) -> Iterator[str]:
        ours = operations(self.served)
        for route, operation in operations(self.promised).items():
            if route in ours:
                yield from self._operation(route, operation, ours[route])
            else:
                yield f"{route}: missing"
        for name, scheme in self.promised["components"].get("securitySchemes", {}).items():
            found = self.served["components"].get("securitySchemes", {}).get(name, {})
            yield from (
                f"security {name}: {key} is not {value}" for key, value in scheme.items() if found.get(key) != value
            )

    def _operation(self, route: str, theirs: Schema, ours: Schema) -> Iterator[str]:
        if ours.get("operationId") != theirs.get("operationId", ours.get("operationId")):
            yield f"{route}: operationId is {ours.get('operationId')}"
        if not set(theirs.get("tags", [])) <= set(ours.get("tags", [])):
            yield f"{route}: tags are {ours.get('tags')}"
        yield from (
            f"{route}: security lacks {one}"
            for one in theirs.get("security", [])
            if one not in ours.get("security", [])
        )
        yield from self._parameters(route, _parameters(theirs), _parameters(ours))
        yield from self._body(route, theirs.get("requestBody"), ours.get("requestBody"))
        for code, answer in theirs["responses"].items():
            if code in ours["responses"]:
                yield from self._answer(f"{route}: answer {code}", answer, ours["responses"][code])
            else:
                yield f"{route}: answer {code} is missing"

    def _parameters(
        self, route: str, theirs: Mapping[tuple[str, str], Schema], ours: Mapping[tuple[str, str], Schema]
    ) -> Iterator[str]:
        for key, parameter in theirs.items():
            at = f"{route}: {key[0]} parameter {key[1]}"
            if key not in ours:
                yield f"{at} is missing"
            else:
                if bool(parameter.get("required")) != bool(ours[key].get("required")):
                    yield f"{at}: required differs"
                yield from self._schema(at, parameter["schema"], ours[key]["schema"], is_sent=True)
        for key in set(ours) - set(theirs):
            if ours[key].get("required"):
                yield f"{route}: {key[0]} parameter {key[1]} is demanded"

    def _body(self, route: str, theirs: Schema | None, ours: Schema | None) -> Iterator[str]:
        if theirs is None:
            if ours is not None and ours.get("required"):
                yield f"{route}: a body is demanded"
        elif ours is None:
            yield f"{route}: takes no body"
        else:
            if bool(theirs.get("required")) != bool(ours.get("required")):
                yield f"{route}: body: required differs"
            yield from self._content(f"{route}: body", theirs["content"], ours["content"], is_sent=True)

    def _answer(self, at: str, theirs: Schema, ours: Schema) -> Iterator[str]:
        for name in theirs.get("headers", {}):
            if name.lower() not in {one.lower() for one in ours.get("headers", {})}:
                yield f"{at}: header {name} is missing"
        yield from self._content(at, theirs.get("content", OPEN), ours.get("content", OPEN), is_sent=False)

    def _content(self, at: str, theirs: Schema, ours: Schema, *, is_sent: bool) -> Iterator[str]:
        for kind, media in theirs.items():
            if kind in ours:
                yield from self._schema(at, media["schema"], ours[kind].get("schema", OPEN), is_sent=is_sent)
            else:
                yield f"{at}: {kind} is missing"

    # Schemas

    def _schema(self, at: str, theirs: Schema, ours: Schema, *, is_sent: bool) -> Iterator[str]:
        name = _name(theirs)
        theirs_whole, ours_whole = _resolved(self.promised, theirs), _resolved(self.served, ours)
        if (name and (name, _name(ours)) in self.under_way) or not set(theirs_whole) - {"x-evidence"}:
            return
        self.under_way.append((name, _name(ours)))
        try:
            yield from self._kinds(at, theirs_whole, ours_whole)
            yield from self._bounds(at, theirs_whole, ours_whole, is_sent=is_sent)
            choices = [
                list(self._named(at, name, theirs_one, ours_one, is_sent=is_sent))
                for theirs_one in _branches(self.promised, theirs)
                for ours_one in _branches(self.served, ours)
            ]
            # Where ours may be of several shapes, one of them has to be the promised one.
            yield from min(choices, key=len, default=[])
        finally:
            self.under_way.pop()

    def _named(self, at: str, name: str, theirs: Schema, ours: Schema, *, is_sent: bool) -> Iterator[str]:
        ours_name, ours = _name(ours), _resolved(self.served, ours)
        theirs = _resolved(self.promised, theirs)
        if name and str(theirs.get("x-evidence")).startswith("spec") and ours_name != name:
            yield f"{at}: shape is called {ours_name or 'nothing'}, not {name}"
        yield from self._required(at, theirs, ours, is_sent=is_sent)
        if theirs.get("properties") and ours.get("additionalProperties") is False and not is_sent:
            yield f"{at}: closed to further fields"
        for one, schema in theirs.get("properties", {}).items():
            if one in ours.get("properties", {}):
                yield from self._schema(f"{at}.{one}", schema, ours["properties"][one], is_sent=is_sent)
            else:
                yield f"{at}.{one} is missing"
        if "items" in theirs:
            yield from self._schema(f"{at}[]", theirs["items"], ours.get("items", OPEN), is_sent=is_sent)
        theirs_words, ours_words = _words(theirs), _words(ours)
        if theirs_words and theirs_words != ours_words:
            yield f"{at}: values are {sorted(ours_words)}, not {sorted(theirs_words)}"

    def _required(self, at: str, theirs: Schema, ours: Schema, *, is_sent: bool) -> Iterator[str]:
        demanded, promised = set(ours.get("required", [])), set(theirs.get("required", []))
        if not _is_unknown(theirs, "x-required", "required list"):
            if is_sent and demanded - promised:
                yield f"{at}: demands {', '.join(sorted(demanded - promised))}"
            if promised - demanded:
                yield f"{at}: {', '.join(sorted(promised - demanded))} need not be there"

    def _kinds(self, at: str, theirs: Schema, ours: Schema) -> Iterator[str]:
        promised, found = _kinds_of(self.promised, theirs), _kinds_of(self.served, ours)
        if theirs.get("x-nullability") == "unknown":
            promised, found = promised - {"null"}, found - {"null"}
        if "any" not in promised and promised != found:
            yield f"{at}: type is {' or '.join(sorted(found))}, not {' or '.join(sorted(promised))}"

    def _bounds(self, at: str, theirs: Schema, ours: Schema, *, is_sent: bool) -> Iterator[str]:
        for bound in (*BOUNDS, "default") if is_sent else ("default",):
            promised, found = _value(self.promised, theirs, bound), _value(self.served, ours, bound)
            if promised is not None and found != promised:
                yield f"{at}: {bound} is {found}, not {promised}"


def _is_unknown(schema: Schema, key: str, words: str) -> bool:
    return schema.get(key) == "unknown" or any(words in told for told in schema.get("x-unknown", []))


def _name(schema: Schema) -> str:
    return str(schema.get("$ref", "")).rpartition("/")[2]


def _resolved(document: Schema, schema: Schema) -> Schema:
    if "$ref" in schema:
        found: Schema = document["components"]["schemas"][_name(schema)]
        return found
    return schema


def _branches(document: Schema, schema: Schema) -> Sequence[Schema]:
    """Return the shapes a schema may have besides null, as they are named."""
    choices = schema.get("anyOf") or schema.get("oneOf")
    if choices is None:
        inner = _resolved(document, schema)
        choices = inner.get("anyOf") or inner.get("oneOf") or [schema]
    return [one for one in choices if one.get("type") != "null"]


def _kinds_of(document: Schema, schema: Schema) -> set[str]:
    """Return the JSON types a schema takes."""
    schema = _resolved(document, schema)
    choices = schema.get("anyOf") or schema.get("oneOf")
    if choices:
        return set().union(*(_kinds_of(document, one) for one in choices))
    kind = schema.get("type", "string" if "const" in schema or "enum" in schema else "any")
    return set(kind) if isinstance(kind, list) else {kind}


def _words(schema: Schema) -> set[str]:
    return set(schema.get("enum", [schema["const"]] if "const" in schema else []))


def _value(document: Schema, schema: Schema, key: str) -> object:
    """Return a bound of a schema, wherever among its shapes it stands."""
    found = (_resolved(document, one).get(key) for one in _branches(document, schema))
    return schema.get(key, next((value for value in found if value is not None), None))
