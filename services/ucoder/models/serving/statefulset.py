"""A model server in a cluster: a StatefulSet (helm/ucoder, templates/vllm) whose annotation names the checkpoint.

Other weights are a patch of that annotation and a rollout. Where the new pods cannot run, the annotation is put back,
so that the old weights go on answering, and the error repeats what the pods reported. The pods themselves fetch the
weights: nothing is copied here.

The controller of StatefulSets replaces one pod after another, because its own `maxUnavailable` is off in most clusters.
Therefore old pods are deleted here, as many at once as the annotation MAX_UNAVAILABLE allows. The controller makes new
ones.
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
MAX_UNAVAILABLE = "ucoder.dev/max-unavailable"
"""The annotation of the StatefulSet with the number of its pods, or their share, that may be away during a rollout."""
REVISION = "controller-revision-hash"
"""The label of a StatefulSet's pod that names the template it was made from."""
MOST_CRASHES = 3
"""A new pod that was restarted this often does not start by itself any more."""
PERMANENT = {"InvalidImageName", "CreateContainerConfigError", "CrashLoopBackOff", "CreateContainerError"}
"""Reasons of a waiting container that do not pass with time."""
TRANSIENT = {"ErrImagePull", "ImagePullBackOff"}
"""Reasons of a waiting container that the image registry may end."""


class StatefulSetServer:
    """The StatefulSet that `UCODER_ROLLOUT_STATEFULSET` names."""

    reads_folders = False
    exclusive = True
    up = True

    def __init__(self, client: OpenAIModel, settings: Settings, poll_seconds: float = 1.0) -> None:
        self.url = client.url
        self._client, self._settings, self._poll_seconds = client, settings, poll_seconds
        self._name = settings.rollout_statefulset
        self._may_delete = True

    async def switch(self, model: str) -> None:
        """Rolls the pods to `model` and waits until they serve it; see `ModelServer`.

        Waits for an API server that does not answer meanwhile.
        """
        missing = "the Kubernetes API does not answer"
        async with KubernetesApi.open(self._settings) as cluster:
            try:
                async with asyncio.timeout(self._settings.model_seconds):
                    before = await self._annotate(cluster, model)
                    while reason := await self._missing(cluster, model):
                        missing = reason
                        await asyncio.sleep(self._poll_seconds)
            except TimeoutError:
                raise Retry(
                    f"{self._name} does not serve {model} after {self._settings.model_seconds:g} s "
                    f"(UCODER_MODEL_SECONDS): {missing}."
                ) from None
            except _PodsFailed as failed:
                try:
                    await cluster.patch(STATEFUL_SETS, self._name, _annotation_patch(before))
                except UcoderError as error:
                    log.error("model.not_put_back", statefulset=self._name, error=str(error))
                raise failed.error from None

    async def close(self) -> None:
        """Does nothing: the pods go on serving."""

    async def _annotate(self, cluster: KubernetesApi, model: str) -> str | None:
        """Writes the annotation unless the pods serve `model` already; returns the annotation before that."""
        while True:
            try:
                statefulset = await cluster.get(STATEFUL_SETS, self._name)
                if _served_by(statefulset) != model:
                    log.info("model.rolling", statefulset=self._name, model=model)
                    await cluster.patch(STATEFUL_SETS, self._name, _annotation_patch(model))
                return _annotation(statefulset)
            except NotFound as error:
                raise Misconfigured(f"UCODER_ROLLOUT_STATEFULSET={self._name}: {error}") from None
            except Retry as error:
                log.warning("model.cluster_away", error=str(error))
                await asyncio.sleep(self._poll_seconds)

    async def _missing(self, cluster: KubernetesApi, model: str) -> str:
        """Returns what the rollout still waits for, or the empty text when it is complete.

        Raises _PodsFailed when it waits in vain.
        """
        try:
            statefulset = await cluster.get(STATEFUL_SETS, self._name)
            labels = statefulset["spec"]["selector"]["matchLabels"]
            pods = await cluster.list(PODS, ",".join(f"{key}={value}" for key, value in labels.items()))
        except NotFound:
            raise Retry(
                f"StatefulSet {self._name} was deleted while it was rolled; `helm upgrade` restores it."
            ) from None
        except Retry as error:
            return str(error)
        if _served_by(statefulset) != model:
            raise Retry(f"another client made {self._name} serve {_served_by(statefulset)}, not {model}.")
        status = statefulset.get("status", {})
        if status.get("observedGeneration", 0) < statefulset["metadata"].get("generation", 0):
            return "the controller has not seen the change"
        revision = status.get("updateRevision")
        new_pods = [pod for pod in pods if pod["metadata"].get("labels", {}).get(REVISION, "") == revision]
        problems = [problem for pod in new_pods for problem in _problems_of(pod)]
        replicas = statefulset["spec"].get("replicas", 1)
        if min(status.get("updatedReplicas", 0), status.get("readyReplicas", 0)) < replicas:
            await self._delete_old_pods(cluster, statefulset, pods)
            return "; ".join(problems) or f"{status.get('readyReplicas', 0)} of {replicas} pods are ready"
        try:
            names = await self._client.served()
        except Retry as error:
            return str(error)
        return "" if model in names else f"{self.url} still serves {', '.join(names)}"

    async def _delete_old_pods(self, cluster: KubernetesApi, statefulset: Object, pods: list[Object]) -> None:
        """Deletes pods of the old template, as long as no more pods are away than the annotation allows.

        Where the right is missing, the rollout continues at the controller's pace.
        """
        replicas, revision = statefulset["spec"].get("replicas", 1), statefulset["status"].get("updateRevision")
        present = [pod for pod in pods if "deletionTimestamp" not in pod["metadata"]]
        room = _budget(statefulset, replicas) - (replicas - sum(map(_is_ready, present)))
        old = [pod for pod in present if pod["metadata"].get("labels", {}).get(REVISION, revision) != revision]
        if not self._may_delete or _budget(statefulset, replicas) < 2:
            return
        for pod in [pod for pod in old if _is_ready(pod)][: max(0, room)]:
            try:
                await cluster.delete(PODS, pod["metadata"]["name"])
            except Misconfigured as error:
                self._may_delete = False
                log.warning("model.rolled_one_by_one", statefulset=self._name, error=str(error))
                return
            except Retry as error:
                log.warning("model.cluster_away", error=str(error))
                return


class _PodsFailed(Exception):
    """The new pods cannot run; `error` is what the caller is to raise."""

    def __init__(self, error: UcoderError) -> None:
        self.error = error


def _annotation_patch(model: str | None) -> Object:
    return {"spec": {"template": {"metadata": {"annotations": {ANNOTATION: model}}}}}


def _annotation(statefulset: Object) -> str | None:
    annotation: str | None = statefulset["spec"]["template"]["metadata"].get("annotations", {}).get(ANNOTATION)
    return annotation


def _budget(statefulset: Object, replicas: int) -> int:
    """Returns how many pods may be away at once during a rollout; a share is rounded down, but never to 0."""
    most = str(statefulset["metadata"].get("annotations", {}).get(MAX_UNAVAILABLE, 1))
    try:
        return max(1, replicas * int(most[:-1]) // 100 if most.endswith("%") else int(most))
    except ValueError:
        return 1


def _is_ready(pod: Object) -> bool:
    conditions = pod.get("status", {}).get("conditions", [])
    return any(one.get("type") == "Ready" and one.get("status") == "True" for one in conditions)


def _served_by(statefulset: Object) -> str:
    """Returns the model in the pods' annotation or, without one, the base model that their init container fetches."""
    for container in statefulset["spec"]["template"]["spec"].get("initContainers", []):
        for variable in container.get("env", []):
            if variable["name"] == "BASE":
                return _annotation(statefulset) or str(variable.get("value", ""))
    return _annotation(statefulset) or ""


def _problems_of(pod: Object) -> Iterator[str]:
    """Yields why a pod is not ready. Raises _PodsFailed when it will not become ready."""
    status, name = pod.get("status", {}), pod["metadata"]["name"]
    for condition in status.get("conditions", []):
        if condition.get("reason") == "Unschedulable":
            yield f"{name} finds no node: {condition.get('message', '')}"
    containers: list[dict[str, Any]] = status.get("initContainerStatuses", []) + status.get("containerStatuses", [])
    for container in containers:
        waiting = container.get("state", {}).get("waiting") or {}
        reason = waiting.get("reason", "")
        ended = container.get("lastState", {}).get("terminated") or {}
        details = " ".join(f"{ended.get('reason', '')} {waiting.get('message', '')}".split())
        line = f"{name}/{container['name']}: {reason} {details}".rstrip()
        if reason in TRANSIENT:
            raise _PodsFailed(Retry(f"the model's new pods cannot start: {line}"))
        if reason in PERMANENT and (reason != "CrashLoopBackOff" or container.get("restartCount", 0) >= MOST_CRASHES):
            raise _PodsFailed(Misconfigured(f"the model's new pods do not run: {line}; `kubectl logs` shows more."))
        if reason:
            yield line
