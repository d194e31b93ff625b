"""A model server in a cluster: a StatefulSet whose pods serve what one annotation names (helm/ucoder, templates/vllm).

Going to other weights is a patch of that annotation and a rollout. Where the new pods cannot run, the annotation is put
back, so that the old weights go on answering, and the error says what the pods said.
"""

import asyncio
from collections.abc import Iterator
from typing import Any

import structlog

from ucoder.errors import Misconfigured, NotFound, Retry, UcoderError
from ucoder.models.openai_model import OpenAIModel
from ucoder.runtime.kubernetes_api import PODS, STATEFUL_SETS, KubernetesApi, Object
from ucoder.runtime.settings import Settings

log = structlog.get_logger()
ANNOTATION = "ucoder.dev/checkpoint"
REVISION = "controller-revision-hash"  # the label by which a StatefulSet's pods say which template made them
CRASHES = 3
"""Restarts of a new pod that are no longer bad luck."""
NEVER = {"InvalidImageName", "CreateContainerConfigError", "CrashLoopBackOff", "CreateContainerError"}
PERHAPS = {"ErrImagePull", "ImagePullBackOff"}
"""Why a container waits: what no time mends, and what a registry may."""


class StatefulSetServer:
    """The StatefulSet that `UCODER_ROLLOUT_STATEFULSET` names."""

    folders = False
    exclusive = True
    up = True

    def __init__(self, client: OpenAIModel, settings: Settings, look_seconds: float = 3.0) -> None:
        self.url = client.url
        self._client, self._settings, self._look = client, settings, look_seconds
        self._name = settings.rollout_statefulset

    async def switch(self, model: str) -> None:
        """See `Host`. An API server that is away meanwhile is waited for."""
        told = ["the Kubernetes API does not answer"]
        async with KubernetesApi.open(self._settings) as cluster:
            try:
                async with asyncio.timeout(self._settings.model_seconds):
                    before = await self._ask(cluster, model)
                    await self._rolled(cluster, model, told)
            except TimeoutError:
                raise Retry(
                    f"{self._name} does not serve {model} after {self._settings.model_seconds:g} s "
                    f"(UCODER_MODEL_SECONDS): {told[-1]}."
                ) from None
            except _Broken as broken:
                await self._put_back(cluster, before)
                raise broken.error from None

    async def close(self) -> None:
        """What runs in the cluster stays."""

    async def _ask(self, cluster: KubernetesApi, model: str) -> str | None:
        """Writes the annotation where it says otherwise; returns what it said before."""
        while True:
            try:
                now = await cluster.get(STATEFUL_SETS, self._name)
                if _served(now) != model:
                    log.info("model.rolling", statefulset=self._name, model=model)
                    await cluster.patch(STATEFUL_SETS, self._name, _change(model))
                return _annotation(now)
            except NotFound as error:
                raise Misconfigured(f"UCODER_ROLLOUT_STATEFULSET={self._name}: {error}") from None
            except Retry as error:
                log.warning("model.cluster_away", error=str(error))
                await asyncio.sleep(self._look)

    async def _rolled(self, cluster: KubernetesApi, model: str, told: list[str]) -> None:
        """Returns when the new weights answer; `told` gets what was missing."""
        while True:
            missing = await self._missing(cluster, model)
            if not missing:
                return
            told.append(missing)
            await asyncio.sleep(self._look)

    async def _missing(self, cluster: KubernetesApi, model: str) -> str:
        """What the rollout still waits for; nothing: the empty text. Raises _Broken when it waits in vain."""
        try:
            now = await cluster.get(STATEFUL_SETS, self._name)
            pods = await cluster.list(PODS, ",".join(f"{k}={v}" for k, v in _labels(now).items()))
        except NotFound:
            raise Retry(
                f"StatefulSet {self._name} was deleted while it was rolled; `helm upgrade` restores it."
            ) from None
        except Retry as error:
            return str(error)
        if _served(now) != model:
            raise Retry(f"somebody else has {self._name} serve {_served(now)}, not {model}.")
        status = now.get("status", {})
        if status.get("observedGeneration", 0) < now["metadata"].get("generation", 0):
            return "the controller has not seen the change"
        new = [pod for pod in pods if _revision(pod) == status.get("updateRevision")]
        told = [words for pod in new for words in _troubles(pod)]
        wanted = now["spec"].get("replicas", 1)
        if min(status.get("updatedReplicas", 0), status.get("readyReplicas", 0)) < wanted:
            return "; ".join(told) or f"{status.get('readyReplicas', 0)} of {wanted} pods are ready"
        try:
            names = await self._client.served()
        except Retry as error:
            return str(error)
        return "" if model in names else f"{self.url} still serves {', '.join(names)}"

    async def _put_back(self, cluster: KubernetesApi, before: str | None) -> None:
        try:
            await cluster.patch(STATEFUL_SETS, self._name, _change(before))
        except UcoderError as error:
            log.error("model.not_put_back", statefulset=self._name, error=str(error))


class _Broken(Exception):
    """The new pods will not run."""

    def __init__(self, error: UcoderError) -> None:
        self.error = error


def _change(model: str | None) -> Object:
    return {"spec": {"template": {"metadata": {"annotations": {ANNOTATION: model}}}}}


def _annotation(one: Object) -> str | None:
    found: str | None = one["spec"]["template"]["metadata"].get("annotations", {}).get(ANNOTATION)
    return found


def _served(one: Object) -> str:
    """What the pods of this template serve: the annotation, or what their `weights` container takes without it."""
    for container in one["spec"]["template"]["spec"].get("initContainers", []):
        for variable in container.get("env", []):
            if variable["name"] == "BASE":
                return _annotation(one) or str(variable.get("value", ""))
    return _annotation(one) or ""


def _labels(one: Object) -> dict[str, str]:
    found: dict[str, str] = one["spec"]["selector"]["matchLabels"]
    return found


def _revision(pod: Object) -> str:
    return str(pod["metadata"].get("labels", {}).get(REVISION, ""))


def _troubles(pod: Object) -> Iterator[str]:
    """Why a pod is not ready, in words. Raises _Broken when it never will be."""
    status, name = pod.get("status", {}), pod["metadata"]["name"]
    for condition in status.get("conditions", []):
        if condition.get("reason") == "Unschedulable":
            yield f"{name} finds no node: {condition.get('message', '')}"
    containers: list[dict[str, Any]] = status.get("initContainerStatuses", []) + status.get("containerStatuses", [])
    for container in containers:
        waiting = container.get("state", {}).get("waiting") or {}
        reason = waiting.get("reason", "")
        ended = container.get("lastState", {}).get("terminated") or {}
        words = " ".join(f"{ended.get('reason', '')} {waiting.get('message', '')}".split())
        line = f"{name}/{container['name']}: {reason} {words}".rstrip()
        if reason in PERHAPS:
            raise _Broken(Retry(f"the model's new pods cannot start: {line}"))
        if reason in NEVER and (reason != "CrashLoopBackOff" or container.get("restartCount", 0) >= CRASHES):
            raise _Broken(Misconfigured(f"the model's new pods do not run: {line}; `kubectl logs` tells more."))
        if reason:
            yield line
