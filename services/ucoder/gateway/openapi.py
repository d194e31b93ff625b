"""The OpenAPI description of the gateway, made from the protos and from the table of its other paths."""

from typing import Any

from ucoder import __version__
from ucoder.gateway.json_mapping import schema_of
from ucoder.gateway.rest_calls import REST_CALLS
from ucoder.v1 import artifacts_pb2

PROBLEM = {
    "type": "object",
    "properties": {
        "type": {"type": "string"},
        "title": {"type": "string"},
        "status": {"type": "integer"},
        "detail": {"type": "string"},
        "code": {"type": "string"},
    },
}
Described = dict[str, tuple[str, str]]
"""By path: the method, and one sentence."""


def description(others: Described) -> dict[str, Any]:
    """Returns the OpenAPI document. `others` are the paths whose bodies other projects define."""
    schemas: dict[str, Any] = {"Problem": PROBLEM}
    paths: dict[str, Any] = {}
    for call in REST_CALLS:
        answer = _json(schema_of(call.response.DESCRIPTOR, schemas))
        if call.path == "/v1/execute":
            row = schema_of(artifacts_pb2.Row.DESCRIPTOR, schemas)
            answer = _json({"type": "object", "properties": {"rows": {"type": "array", "items": row}}})
        if call.events:
            answer["text/event-stream"] = {"schema": {"type": "string"}}
        paths[call.path] = {
            "post": {
                "summary": call.summary,
                "operationId": call.path.rpartition("/")[2],
                "requestBody": {
                    "required": True,
                    "content": _json(schema_of(call.request.DESCRIPTOR, schemas)),
                },
                "responses": {
                    "200": {"description": "The answer.", "content": answer},
                    "default": {
                        "description": "An error.",
                        "content": {"application/problem+json": {"schema": {"$ref": "#/components/schemas/Problem"}}},
                    },
                },
            }
        }
    for path, (method, summary) in others.items():
        paths.setdefault(path, {})[method.lower()] = {
            "summary": summary,
            "responses": {"200": {"description": "The answer."}},
        }
    return {
        "openapi": "3.1.0",
        "info": {"title": "ucoder gateway", "version": "1." + __version__.removeprefix("1.")},
        "paths": paths,
        "components": {
            "schemas": schemas,
            "securitySchemes": {"token": {"type": "http", "scheme": "bearer"}},
        },
        "security": [{"token": []}, {}],
    }


def _json(schema: dict[str, Any]) -> dict[str, Any]:
    return {"application/json": {"schema": schema}}
