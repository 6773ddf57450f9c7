"""The service's OpenAPI document, and checks of replies against it."""

import functools
import json
import re

from jsonschema import Draft202012Validator, RefResolver

JSON = "application/json"


def closed(schema):
    """
    The schema, changed to refuse undeclared members wherever it lists members and does not mention others. The document
    leaves this out because clients must accept members of later versions. In a reply of this version they are errors.
    """
    if isinstance(schema, list):
        return [closed(part) for part in schema]
    if not isinstance(schema, dict):
        return schema
    result = {name: value if name in ("examples", "const", "enum", "default") else closed(value)
              for name, value in schema.items()}
    if isinstance(schema.get("properties"), dict) and "additionalProperties" not in schema:
        result["additionalProperties"] = False
    return result


class Document:
    def __init__(self, document):
        self.document = document
        self.schemas = {name: closed(schema) for name, schema in document["components"]["schemas"].items()}
        self.paths = sorted(
            ((re.compile(re.sub(r"\\{\w+\\}", "[^/]+", re.escape(path))), path) for path in document["paths"]),
            key=lambda entry: entry[1].count("{"))
        self.resolver = RefResolver.from_schema({"components": {"schemas": self.schemas}})  # its first use is slow
        self.validators = {}

    def resolve(self, node):
        """The target of a reference. A node that is no reference is returned as it is."""
        while "$ref" in node:
            steps = node["$ref"].removeprefix("#/").split("/")
            node = self.document
            for step in steps:
                node = node[step.replace("~1", "/").replace("~0", "~")]
        return node

    def operations(self):
        """(method, path, operation) of each operation."""
        return [(method.upper(), path, operation)
                for path, item in self.document["paths"].items()
                for method, operation in item.items() if method != "parameters"]

    def path_of(self, target):
        """The path of the document that matches a request's target, or None."""
        path = "/" + "/".join(filter(None, target.split("?")[0].split("/")))
        return next((template for pattern, template in self.paths if pattern.fullmatch(path)), None)

    def errors(self, schema, value):
        """The value's violations of the schema, one line each."""
        key = json.dumps(schema, sort_keys=True)
        if key not in self.validators:
            self.validators[key] = Draft202012Validator(closed(schema), resolver=self.resolver)
        return [f"{error.json_path}: {error.message[:300]}" for error in self.validators[key].iter_errors(value)]

    def response(self, method, target, status):
        """The document's description of that reply. Raises AssertionError if there is none."""
        item = self.document["paths"].get(self.path_of(target), {})
        operation = item.get("get" if method == "HEAD" else method.lower()) if method.isupper() else None
        if operation is None:  # one description for all of these: 404 or 405
            assert status == (405 if item else 404), f"{method} {target}: {status}, and openapi.json has no such operation"
            return self.resolve({"$ref": f"#/components/responses/{'MethodNotAllowed' if item else 'NotFound'}"})
        assert str(status) in operation["responses"], f"{method} {target}: openapi.json does not know its {status}"
        return self.resolve(operation["responses"][str(status)])

    def check(self, method, target, reply):
        """Raises AssertionError if the reply's status, headers or body differ from the document."""
        told = f"{method} {target}: {reply}"
        response = self.response(method, target, reply.status)
        for name, header in response.get("headers", {}).items():
            header = self.resolve(header)
            value = reply.headers[name]
            if value is None:
                assert not header.get("required"), f"{told}: lacks the header {name}"
                continue
            if self.resolve(header["schema"]).get("type") == "integer":
                value = int(value)
            assert self.errors(header["schema"], value) == [], f"{told}: {name}: {value!r}"
        content = response.get("content")
        if content is None or method == "HEAD":
            assert reply.body == b"", told
            return
        media_type = (reply.headers["Content-Type"] or "").split(";")[0]
        assert media_type in content, f"{told}: Content-Type is {media_type!r}"
        if media_type == JSON:
            errors = self.errors(content[JSON]["schema"], json.loads(reply.body))
            assert errors == [], "\n".join([told, *errors])


@functools.cache
def document_of(text):
    """Daemons with the same document share one Document, which prepares its validators once."""
    return Document(json.loads(text))
