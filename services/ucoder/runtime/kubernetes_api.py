"""The part of the Kubernetes API that ucoder uses: objects as plain data, through the official client.

Callers that wait for a change read the object again every few seconds. It is small, and so neither an API server that
is away for a minute nor a broken watch needs code of its own.
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
ERROR_OF_STATUS: dict[int, type[Reject]] = {
    400: Reject, 401: Misconfigured, 403: Misconfigured, 404: NotFound, 409: Conflict, 413: Reject, 422: Reject,
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class ResourceKind:
    """A kind of object, such as `batch/v1` and `jobs`."""

    api: str
    plural: str

    @classmethod
    def of(cls, item: Object) -> "ResourceKind":
        """Returns the kind of an object; the plural of every kind that we use is made by an `s`."""
        return cls(item["apiVersion"], item["kind"].lower() + "s")


PODS = ResourceKind("v1", "pods")
STATEFUL_SETS = ResourceKind("apps/v1", "statefulsets")


class KubernetesApi:
    """The API of one namespace.

    Every call raises NotFound (no such object or kind), Conflict (the name is taken), Reject (the object is not valid),
    Misconfigured (the right is missing), or Retry (the API server is away, busy or broken).
    """

    def __init__(self, client: Any, namespace: str) -> None:
        self._client = client
        self.namespace = namespace

    @classmethod
    @contextlib.asynccontextmanager
    async def open(cls, settings: Settings) -> AsyncIterator["KubernetesApi"]:
        """Opens the cluster and namespace of our own pod; outside a pod those of the kubeconfig or the settings.

        Raises Misconfigured when there is none, or when the client is not installed.
        """
        try:
            from kubernetes.aio import client, config
        except ImportError:
            raise Misconfigured("the Kubernetes client is missing: pip install 'ucoder[kubernetes]'.") from None
        configuration = client.Configuration()
        namespace = settings.kubernetes_namespace
        try:
            if settings.kubernetes_url:
                configuration.host = settings.kubernetes_url.rstrip("/")
            elif OWN_NAMESPACE.exists():
                config.load_incluster_config(configuration)
                namespace = namespace or OWN_NAMESPACE.read_text().strip()
            else:
                await config.load_kube_config(client_configuration=configuration)
                context = config.list_kube_config_contexts()[1]["context"]
                namespace = namespace or context.get("namespace", "")
        except (config.ConfigException, OSError) as error:
            raise Misconfigured(f"no Kubernetes cluster is known here: {error}. Set UCODER_KUBERNETES_URL.") from None
        configuration.retries = None  # the callers retry themselves
        async with client.ApiClient(configuration) as api:
            yield cls(api, namespace or "default")

    async def get(self, kind: ResourceKind, name: str) -> Object:
        """Returns the object of a name."""
        return _object(await self._call("GET", kind, name))

    async def list(self, kind: ResourceKind, labels: str = "") -> list[Object]:
        """Returns the objects with these labels, `a=b,c=d`."""
        return list(_object(await self._call("GET", kind, query={"labelSelector": labels})).get("items", []))

    async def create(self, item: Object) -> Object:
        """Makes an object; a field that its kind does not have is an error and never ignored."""
        return _object(await self._call("POST", ResourceKind.of(item), body=item, query={"fieldValidation": "Strict"}))

    async def patch(self, kind: ResourceKind, name: str, change: Object) -> Object:
        """Changes an object by a JSON merge patch (RFC 7386): maps are merged, null removes, lists are replaced."""
        query = {"fieldValidation": "Strict"}
        header = {"Content-Type": "application/merge-patch+json"}
        return _object(await self._call("PATCH", kind, name, body=change, query=query, header=header))

    async def delete(self, kind: ResourceKind, name: str) -> None:
        """Removes the objects that an object owns and then itself; one that does not exist is no error.

        The name stays taken until its pods have ended, so pods of a new object never meet those of the old one.
        """
        with contextlib.suppress(NotFound):
            await self._call("DELETE", kind, name, query={"propagationPolicy": "Foreground"})

    async def log(self, pod: str, lines: int) -> str:
        """Returns the last lines of the log of a pod's container."""
        return (await self._call("GET", PODS, f"{pod}/log", query={"tailLines": str(lines)})).decode(errors="replace")

    async def _call(
        self, method: str, kind: ResourceKind, name: str = "", *, body: Object | None = None,
        query: dict[str, str] | None = None, header: dict[str, str] | None = None,
    ) -> bytes:  # fmt: skip
        import aiohttp

        root = "apis" if "/" in kind.api else "api"
        path = f"/{root}/{kind.api}/namespaces/{self.namespace}/{kind.plural}" + (f"/{name}" if name else "")
        parameters = [(key, value) for key, value in (query or {}).items() if value]
        headers = {"Accept": "application/json, */*", "Content-Type": "application/json", **(header or {})}
        try:
            request = await self._client.param_serialize(
                method, path, query_params=parameters, header_params=headers, body=body, auth_settings=["BearerToken"]
            )
            response = await self._client.call_api(*request, _request_timeout=CALL_SECONDS)
            data: bytes = await response.read()
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            raise Retry(
                f"the Kubernetes API at {self._client.configuration.host} does not answer: {error!r}."
            ) from None
        if response.status < 300:
            return data
        exception = ERROR_OF_STATUS.get(response.status, Retry)
        raise exception(
            f"Kubernetes refused {method} {kind.plural} {name}".rstrip() + f" ({_reason(response.status, data)})."
        )


def _object(data: bytes) -> Object:
    try:
        return json.loads(data)  # type: ignore[no-any-return]
    except ValueError:
        raise Retry(f"the Kubernetes API answered with no object: {data[:200]!r}.") from None


def _reason(status: int, data: bytes) -> str:
    """Returns the status and the server's message, where the answer holds one."""
    with contextlib.suppress(ValueError, TypeError, KeyError):
        return f"{status}: {json.loads(data)['message']}"
    return str(status)
