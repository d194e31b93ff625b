"""A scripted Kubernetes API server on a loopback port, for exactly the calls of `runtime/kubernetes_api.py`.

It has no controllers: a test takes their part. Submitted objects are checked strictly with the API's own schemas.
"""

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import jsonschema
import kubernetes_validate
from aiohttp import web

from ucoder.runtime.kubernetes_api import PODS, STATEFUL_SETS, Object, ResourceKind

from ..helm import crd

CRDS = Path(__file__).parents[3] / "shared" / "data" / "crds"
VERSIONS = ("1.30", "1.35")


class ApiServer:
    """The server, with the objects of one cluster by (kind, name) and all calls as (verb, resource, name)."""

    def __init__(self, crds: Path = CRDS) -> None:
        self.objects: dict[tuple[ResourceKind, str], Object] = {}
        self.logs: dict[str, str] = {}
        self.calls: list[tuple[str, str, str]] = []
        self.react: Callable[[Object], None] = lambda item: None
        """Called before the answer with each object that was made or changed, as a controller would be."""
        self.on_call: Callable[[str, str], None] = lambda verb, resource: None
        """Called before the answer to each call, as time that passes."""
        self.refuse: dict[str, int] = {}
        """HTTP status of the answer by verb, for verbs that are refused."""
        self.slow = 0.0
        """Seconds before an object is made, whether or not the caller still waits."""
        self.url = ""
        self._crds = crd.schemas(crds) if crds.exists() else {}
        self._runner: web.AppRunner | None = None
        self._port = 0

    @classmethod
    @contextlib.asynccontextmanager
    async def running(cls) -> AsyncIterator["ApiServer"]:
        """Runs a server while the block runs, and yields it."""
        server = cls()
        await server.start()
        try:
            yield server
        finally:
            await server.stop()

    async def start(self) -> None:
        """Starts the server, at the port that it had before."""
        app = web.Application()
        path = "/namespaces/{namespace}/{plural}{name:(/[^/]+)?}"
        app.router.add_route("*", "/apis/{group}/{version}" + path, self._serve)
        app.router.add_route("*", "/api/{version}" + path, self._serve)
        app.router.add_get("/api/v1/namespaces/{namespace}/pods/{name}/log", self._log)
        app.router.add_get("/apis/apps/v1", self._discovery)
        self._runner = web.AppRunner(app, shutdown_timeout=0.1)
        await self._runner.setup()
        site = web.TCPSite(self._runner, "127.0.0.1", self._port, reuse_address=True)
        await site.start()
        self._port = self._runner.addresses[0][1]
        self.url = f"http://127.0.0.1:{self._port}"

    async def stop(self) -> None:
        """Stops the server: open connections end, new ones are refused."""
        if self._runner:
            await self._runner.cleanup()
            self._runner = None

    def put(self, item: Object) -> Object:
        """Stores an object without a check, as a controller does."""
        self.objects[ResourceKind.of(item), item["metadata"]["name"]] = item
        return item

    def pod(self, name: str, labels: dict[str, str], phase: str = "Running", **status: Any) -> Object:
        """Stores a pod; `status` is the rest of its status."""
        metadata = {"name": name, "labels": labels}
        return self.put({"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "status": {"phase": phase, **status}})

    async def _serve(self, request: web.Request) -> web.Response:
        path, name = request.match_info, request.match_info["name"].strip("/")
        kind = ResourceKind(
            f"{path['group']}/{path['version']}" if "group" in path else path["version"], path["plural"]
        )
        verb = {"GET": "get" if name else "list", "POST": "create", "PATCH": "patch", "DELETE": "delete"}[
            request.method
        ]
        self.calls.append((verb, kind.plural, name))
        self.on_call(verb, kind.plural)
        if status := self.refuse.get(verb):
            return _status(status, f"scripted to refuse {verb}")
        if verb == "list":
            return web.json_response({"kind": "List", "items": self._labelled(kind, request.query)})
        body = await request.json() if verb in ("create", "patch") else {}
        if verb == "create":
            await asyncio.sleep(self.slow)
            return self._make(kind, body, request)
        if (kind, name) not in self.objects:
            return _status(404, f"{kind.plural} {name} not found")
        if verb == "delete":
            del self.objects[kind, name]
            return web.json_response({"kind": "Status", "status": "Success"})
        if verb == "patch":
            assert request.content_type == "application/merge-patch+json"
            changed = merged(self.objects[kind, name], body)
            if fault := self._fault(changed):
                return _status(422, fault)
            changed["metadata"]["generation"] = changed["metadata"].get("generation", 1) + 1
            self.objects[kind, name] = changed
            self.react(changed)
        return web.json_response(self.objects[kind, name])

    def _make(self, kind: ResourceKind, item: Object, request: web.Request) -> web.Response:
        assert request.query["fieldValidation"] == "Strict"
        if ResourceKind.of(item) != kind:
            return _status(400, "the object is not of the kind that the path names")
        if fault := self._fault(item):
            return _status(422, fault)
        if item["metadata"].setdefault("namespace", request.match_info["namespace"]) != request.match_info["namespace"]:
            return _status(400, "the namespace of the object does not match that of the path")
        name = item["metadata"]["name"]
        if (kind, name) in self.objects:
            return _status(409, f"{kind.plural} {name} already exists")
        item["metadata"] |= {"uid": f"uid-{len(self.calls)}", "generation": 1}
        self.put(item)
        self.react(item)
        return web.json_response(item, status=201)

    def _labelled(self, kind: ResourceKind, query: Any) -> list[Object]:
        labels = dict(pair.split("=", 1) for pair in query.get("labelSelector", "").split(",") if pair)
        found = [item for (of, _), item in self.objects.items() if of == kind]
        return [item for item in found if labels.items() <= item["metadata"].get("labels", {}).items()]

    def _fault(self, item: Object) -> str:
        """Returns the first fault of an object by the API's schemas, without its status, or the empty text."""
        checked = {key: value for key, value in item.items() if key != "status"}
        if schema := self._crds.get((item["apiVersion"], item["kind"])):
            try:
                jsonschema.validate(checked, schema)
            except jsonschema.ValidationError as error:
                return f"{error.message} at {list(error.path)}"
            return ""
        for version in VERSIONS:
            try:
                kubernetes_validate.validate(checked, version, strict=True)
            except kubernetes_validate.ValidationError as error:
                return f"{error.message} at {error.path} (Kubernetes {version})"
            except kubernetes_validate.InvalidSchemaError:
                return f"no kind {item['apiVersion']} {item['kind']}"
        return ""

    async def _discovery(self, request: web.Request) -> web.Response:
        """Lists the kinds of apps/v1 that Helm's `lookup` asks for."""
        kind = {"name": STATEFUL_SETS.plural, "kind": "StatefulSet", "namespaced": True, "verbs": ["get"]}
        return web.json_response({"kind": "APIResourceList", "groupVersion": STATEFUL_SETS.api, "resources": [kind]})

    async def _log(self, request: web.Request) -> web.Response:
        name = request.match_info["name"]
        self.calls.append(("get", "pods/log", name))
        if (PODS, name) not in self.objects:
            return _status(404, f"pods {name} not found")
        lines = self.logs.get(name, "").splitlines(keepends=True)
        return web.Response(text="".join(lines[-int(request.query["tailLines"]) :]))


def merged(value: Any, change: Any) -> Any:
    """Returns a value after a JSON merge patch (RFC 7386)."""
    if not isinstance(change, dict):
        return change
    result = dict(value) if isinstance(value, dict) else {}
    for key, new in change.items():
        if new is None:
            result.pop(key, None)
        else:
            result[key] = merged(result.get(key), new)
    return json.loads(json.dumps(result))


def _status(code: int, message: str) -> web.Response:
    return web.json_response(
        {"kind": "Status", "apiVersion": "v1", "status": "Failure", "code": code, "message": message}, status=code
    )
