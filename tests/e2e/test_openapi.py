"""The OpenAPI document: complete, valid, and the same in JSON and YAML."""

import re
import sys

import pytest
import yaml
from jsonschema import Draft202012Validator

from harness.daemon import REPOSITORY
from harness.openapi import Document

sys.path.append(str(REPOSITORY / "server"))
import embed_openapi  # noqa: E402

METHODS = {"get", "post", "patch", "delete"}


@pytest.fixture(scope="module")
def document():
    return Document(embed_openapi.whole("0", sorted((REPOSITORY / "server/openapi").glob("*.json"))))


def nodes(node, place="#"):
    """Yields every object of the document with its path."""
    if isinstance(node, dict):
        yield place, node
    members = node.items() if isinstance(node, dict) else enumerate(node) if isinstance(node, list) else ()
    for name, child in members:
        yield from nodes(child, f"{place}/{name}")


def test_json_and_yaml_hold_the_same_document(hooksd, document):
    daemon = hooksd()
    text, form = daemon.get("/openapi.yaml"), daemon.get("/openapi.json")
    assert (text.status, text.headers["Content-Type"]) == (200, "application/yaml")
    assert (form.status, form.headers["Content-Type"]) == (200, "application/json")
    assert yaml.safe_load(text.body) == form.json()
    assert form.json()["paths"] == document.document["paths"]


def test_every_reference_has_a_target(document):
    references = [(place, node) for place, node in nodes(document.document) if "$ref" in node]
    assert len(references) > 200
    for place, node in references:
        try:
            document.resolve(node)
        except KeyError:
            pytest.fail(f"{place} refers to {node['$ref']}")


def test_every_component_is_referred_to(document):
    named = {node["$ref"] for _place, node in nodes(document.document) if "$ref" in node}
    named.add("#/components/responses/MethodNotAllowed")  # the answer to methods without an operation
    for kind in ("schemas", "responses", "parameters", "headers"):
        for name in document.document["components"][kind]:
            assert f"#/components/{kind}/{name}" in named


def test_schemas_are_valid_and_match_their_examples(document):
    examples = 0
    for place, node in nodes(document.document):
        for schema in ([node["schema"]] if "schema" in node else []) + list(node.get("schemas", {}).values()):
            Draft202012Validator.check_schema(schema)
        for example in [node["example"]] if "example" in node and "schema" in node else []:
            assert document.errors(node["schema"], example) == [], place
            examples += 1
        if "examples" in node and "/properties/examples" not in place:
            schema = {name: value for name, value in node.items() if name != "examples"}
            for example in node["examples"]:
                assert document.errors(schema, example) == [], place
                examples += 1
    assert examples > 20


def test_operations_have_summaries_parameters_and_responses(document):
    ids = []
    for method, path, operation in document.operations():
        assert method.lower() in METHODS | ({"put", "options"} if path == "/v1/dev/inbox/receive/{token}" else set())
        assert operation["summary"] and operation["tags"] and operation["responses"], (method, path)
        item = document.document["paths"][path]
        parameters = [document.resolve(one) for one in item.get("parameters", []) + operation.get("parameters", [])]
        in_path = [one["name"] for one in parameters if one["in"] == "path"]
        assert in_path == re.findall(r"{(\w+)}", path), (method, path)
        if path.startswith("/v1/"):
            ids.append(operation["operationId"])
            for status in ("400", "401", "403", "404", "503"):
                assert status in operation["responses"], (method, path)
            if method in ("POST", "PATCH"):
                assert "requestBody" in operation or path == "/v1/admin/rotate-secrets", (method, path)
    assert len(ids) == len(set(ids)) > 25
    assert {tag["name"] for tag in document.document["tags"]} == {
        tag for _method, _path, operation in document.operations() for tag in operation["tags"]}


def test_replies_of_routes_outside_the_api_match_the_document(make_hookline, document):
    """ApiClient checks the replies of the API in all other tests."""
    hookline = make_hookline("embedded", REQUIRE_API_KEY="true", METRICS_REQUIRE_KEY="true").start()
    key = {"Authorization": f"Bearer {hookline.start_key.key}"}
    event = b'{"event_type":"a","session_id":"s"}'
    with hookline.daemon.client() as client:
        asked = set()
        for method, path, operation in document.operations():
            if path.startswith("/v1/"):
                continue
            bodies = [None] if method == "GET" else [event, b"[" + event + b"]", b"{}", b"[1]"]
            for headers in ({}, key, {"Authorization": "Bearer nonsense"}):
                for body in bodies:
                    reply = client.request(method, path, body, headers | {"Content-Type": "application/json"})
                    document.check(method, path, reply)
                    asked.add((path, reply.status))
    assert {status for _path, status in asked} == {200, 202, 401, 404, 422}
    assert ("/metrics", 401) in asked and ("/events", 401) in asked and ("/events", 202) in asked
