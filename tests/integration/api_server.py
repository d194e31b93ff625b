"""A scripted Kubernetes API server on a loopback port, for exactly the calls that `runtime/cluster.py` makes.

It has no controllers: a test plays them. What is submitted is held strictly against the API's own schema.
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

from ucoder.runtime.kubernetes_api import PODS, Object, ResourceKind

from ..helm import crd

CRDS = Path(__file__).parents[3] / "shared" / "data" / "crds"
VERSIONS = ("1.30", "1.35")


class ApiServer:
    """Objects of one cluster by (kind, name), and every call as (verb, resource, name)."""

    def __init__(self, crds: Path = CRDS) -> None:
        self.objects: dict[tuple[ResourceKind, str], Object] = {}
        self.logs: dict[str, str] = {}
        self.calls: list[tuple[str, str, str]] = []
        self.react: Callable[[Object], None] = lambda one: None
        """Called with each object that was made or changed, before the answer: the controller's part."""
        self.refuse: dict[str, int] = {}
        """Verb -> HTTP status that it is answered with."""
        self.slow = 0.0
        """Seconds that pass before an object is made, whether or not somebody still waits for it."""
        self.url = ""
        self._crds = crd.schemas(crds) if crds.exists() else {}
        self._runner: web.AppRunner | None = None
        self._port = 0

    @classmethod
    @contextlib.asynccontextmanager
    async def running(cls) -> AsyncIterator["ApiServer"]:
        """A server that answers while the block runs."""
        server = cls()
        await server.up()
        try:
            yield server
        finally:
            await server.down()

    async def up(self) -> None:
        """Answers, at the port it had before."""
        app = web.Application()
        path = "/namespaces/{namespace}/{plural}{name:(/[^/]+)?}"
        app.router.add_route("*", "/apis/{group}/{version}" + path, self._serve)
        app.router.add_route("*", "/api/{version}" + path, self._serve)
        app.router.add_get("/api/v1/namespaces/{namespace}/pods/{name}/log", self._log)
        self._runner = web.AppRunner(app, shutdown_timeout=0.1)
        await self._runner.setup()
        site = web.TCPSite(self._runner, "127.0.0.1", self._port, reuse_address=True)
        await site.start()
        self._port = self._runner.addresses[0][1]
        self.url = f"http://127.0.0.1:{self._port}"

    async def down(self) -> None:
        """Refuses connections, and cuts those that are open."""
        if self._runner:
            await self._runner.cleanup()
            self._runner = None

    def put(self, one: Object) -> Object:
        """Puts an object there, unchecked, as a controller would."""
        self.objects[ResourceKind.of(one), one["metadata"]["name"]] = one
        return one

    def pod(self, name: str, labels: dict[str, str], phase: str = "Running", **status: Any) -> Object:
        """Puts a pod there; `status` is the rest of its status."""
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
            if wrong := self._wrong(changed):
                return _status(422, wrong)
            changed["metadata"]["generation"] = changed["metadata"].get("generation", 1) + 1
            self.objects[kind, name] = changed
            self.react(changed)
        return web.json_response(self.objects[kind, name])

    def _make(self, kind: ResourceKind, one: Object, request: web.Request) -> web.Response:
        assert request.query["fieldValidation"] == "Strict"
        if ResourceKind.of(one) != kind:
            return _status(400, "the object is not of the kind that the path names")
        if wrong := self._wrong(one):
            return _status(422, wrong)
        if one["metadata"].setdefault("namespace", request.match_info["namespace"]) != request.match_info["namespace"]:
            return _status(400, "the namespace of the object does not match that of the path")
        name = one["metadata"]["name"]
        if (kind, name) in self.objects:
            return _status(409, f"{kind.plural} {name} already exists")
        one["metadata"] |= {"uid": f"uid-{len(self.calls)}", "generation": 1}
        self.put(one)
        self.react(one)
        return web.json_response(one, status=201)

    def _labelled(self, kind: ResourceKind, query: Any) -> list[Object]:
        wanted = dict(pair.split("=", 1) for pair in query.get("labelSelector", "").split(",") if pair)
        found = [one for (of, _), one in self.objects.items() if of == kind]
        return [one for one in found if wanted.items() <= one["metadata"].get("labels", {}).items()]

    def _wrong(self, one: Object) -> str:
        """What the API's schemas have against an object, status aside; nothing: the empty text."""
        told = {key: value for key, value in one.items() if key != "status"}
        if schema := self._crds.get((one["apiVersion"], one["kind"])):
            try:
                jsonschema.validate(told, schema)
            except jsonschema.ValidationError as error:
                return f"{error.message} at {list(error.path)}"
            return ""
        for version in VERSIONS:
            try:
                kubernetes_validate.validate(told, version, strict=True)
            except kubernetes_validate.ValidationError as error:
                return f"{error.message} at {error.path} (Kubernetes {version})"
            except kubernetes_validate.InvalidSchemaError:
                return f"no kind {one['apiVersion']} {one['kind']}"
        return ""

    async def _log(self, request: web.Request) -> web.Response:
        name = request.match_info["name"]
        self.calls.append(("get", "pods/log", name))
        if (PODS, name) not in self.objects:
            return _status(404, f"pods {name} not found")
        lines = self.logs.get(name, "").splitlines(keepends=True)
        return web.Response(text="".join(lines[-int(request.query["tailLines"]) :]))


def merged(below: Any, change: Any) -> Any:
    """JSON merge patch (RFC 7386)."""
    if not isinstance(change, dict):
        return change
    made = dict(below) if isinstance(below, dict) else {}
    for key, value in change.items():
        if value is None:
            made.pop(key, None)
        else:
            made[key] = merged(made.get(key), value)
    return json.loads(json.dumps(made))


def _status(code: int, message: str) -> web.Response:
    return web.json_response(
        {"kind": "Status", "apiVersion": "v1", "status": "Failure", "code": code, "message": message}, status=code
    )
