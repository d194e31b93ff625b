"""The Kubernetes API, as little of it as we use: objects as plain data, by the official client.

Who waits for something asks again every few seconds: one small object, and neither an API server that is away for a
minute nor a watch that was cut needs code of its own.
"""

import contextlib
import json
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ucoder.errors import Conflict, Misconfigured, NotFound, Reject, Retry
from ucoder.runtime.settings import Settings

Object = dict[str, Any]

CALL_SECONDS = 30.0
OWN_NAMESPACE = Path("/var/run/secrets/kubernetes.io/serviceaccount/namespace")
FAULTS: dict[int, type[Reject]] = {
    400: Reject, 401: Misconfigured, 403: Misconfigured, 404: NotFound, 409: Conflict, 413: Reject, 422: Reject,
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class ResourceKind:
    """A kind of object: `batch/v1`, `jobs`."""

    api: str
    plural: str

    @classmethod
    def of(cls, one: Object) -> "ResourceKind":
        """That of an object; its plural as every kind we use makes it."""
        return cls(one["apiVersion"], one["kind"].lower() + "s")


PODS = ResourceKind("v1", "pods")
STATEFUL_SETS = ResourceKind("apps/v1", "statefulsets")


class KubernetesApi:
    """One namespace.

    Every call raises NotFound (no such object, or kind), Conflict (the name is taken), Reject (the object is not
    valid), Misconfigured (no right to do it), Retry (the API server is away, busy or broken).
    """

    def __init__(self, client: Any, namespace: str) -> None:
        self._client = client
        self.namespace = namespace

    @classmethod
    @contextlib.asynccontextmanager
    async def open(cls, settings: Settings) -> AsyncIterator["KubernetesApi"]:
        """Our own pod's cluster and namespace; elsewhere those of the kubeconfig, or the server that settings name.

        Misconfigured when there is none, or the client is not installed.
        """
        try:
            from kubernetes.aio import client, config
        except ImportError:
            raise Misconfigured("the Kubernetes client is missing: pip install 'ucoder[kubernetes]'.") from None
        told = client.Configuration()
        namespace = settings.kubernetes_namespace
        try:
            if settings.kubernetes_url:
                told.host = settings.kubernetes_url.rstrip("/")
            elif OWN_NAMESPACE.exists():
                config.load_incluster_config(told)
                namespace = namespace or OWN_NAMESPACE.read_text().strip()
            else:
                await config.load_kube_config(client_configuration=told)
                context = config.list_kube_config_contexts()[1]["context"]
                namespace = namespace or context.get("namespace", "")
        except (config.ConfigException, OSError) as error:
            raise Misconfigured(f"no Kubernetes cluster is known here: {error}. Set UCODER_KUBERNETES_URL.") from None
        told.retries = None  # whoever asks has patience of its own
        async with client.ApiClient(told) as api:
            yield cls(api, namespace or "default")

    async def get(self, kind: ResourceKind, name: str) -> Object:
        """The object of that name."""
        return _object(await self._call("GET", kind, name))

    async def list(self, kind: ResourceKind, labels: str = "") -> list[Object]:
        """The objects that bear these labels, `a=b,c=d`."""
        return list(_object(await self._call("GET", kind, query={"labelSelector": labels})).get("items", []))

    async def create(self, one: Object) -> Object:
        """Makes an object; a field that its kind does not have is an error, never dropped."""
        return _object(await self._call("POST", ResourceKind.of(one), body=one, query={"fieldValidation": "Strict"}))

    async def patch(self, kind: ResourceKind, name: str, change: Object) -> Object:
        """Changes an object by a JSON merge patch (RFC 7386): maps merge, null removes, lists are replaced."""
        query = {"fieldValidation": "Strict"}
        header = {"Content-Type": "application/merge-patch+json"}
        return _object(await self._call("PATCH", kind, name, body=change, query=query, header=header))

    async def delete(self, kind: ResourceKind, name: str) -> None:
        """Removes what an object owns and then it; one that is gone already is no error.

        Until its pods are gone the name stays taken, so what is made next under it never meets pods of the last one.
        """
        with contextlib.suppress(NotFound):
            await self._call("DELETE", kind, name, query={"propagationPolicy": "Foreground"})

    async def log(self, pod: str, lines: int) -> str:
        """The last lines that a pod's container wrote."""
        return (await self._call("GET", PODS, f"{pod}/log", query={"tailLines": str(lines)})).decode(errors="replace")

    async def _call(
        self, method: str, kind: ResourceKind, name: str = "", *, body: Object | None = None,
        query: dict[str, str] | None = None, header: dict[str, str] | None = None,
    ) -> bytes:  # fmt: skip
        import aiohttp

        root = "apis" if "/" in kind.api else "api"
        path = f"/{root}/{kind.api}/namespaces/{self.namespace}/{kind.plural}" + (f"/{name}" if name else "")
        asked = [(key, value) for key, value in (query or {}).items() if value]
        headers = {"Accept": "application/json, */*", "Content-Type": "application/json", **(header or {})}
        try:
            request = await self._client.param_serialize(
                method, path, query_params=asked, header_params=headers, body=body, auth_settings=["BearerToken"]
            )
            response = await self._client.call_api(*request, _request_timeout=CALL_SECONDS)
            data: bytes = await response.read()
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            raise Retry(
                f"the Kubernetes API at {self._client.configuration.host} does not answer: {error!r}."
            ) from None
        if response.status < 300:
            return data
        fault = FAULTS.get(response.status, Retry)
        raise fault(f"Kubernetes refused {method} {kind.plural} {name}".rstrip() + f" ({_why(response.status, data)}).")


def _object(data: bytes) -> Object:
    try:
        return json.loads(data)  # type: ignore[no-any-return]
    except ValueError:
        raise Retry(f"the Kubernetes API answered with no object: {data[:200]!r}.") from None


def _why(status: int, data: bytes) -> str:
    """The server's own words, where its answer holds some."""
    with contextlib.suppress(ValueError, TypeError, KeyError):
        return f"{status}: {json.loads(data)['message']}"
    return str(status)
