"""What a training's Job and its pods say about themselves, in words."""

import contextlib
import json
from collections.abc import Iterator
from typing import Any

from ucoder.runtime.kubernetes_api import Object

NEVER = {"InvalidImageName", "CreateContainerConfigError", "ErrImageNeverPull"}
"""Why a container waits that nothing but another template ends."""
WAITING = {"ImagePullBackOff", "ErrImagePull", "RegistryUnavailable", "CreateContainerError", "RunContainerError"}
"""Why a container waits that time may end, and often does not."""


def lines(text: str) -> Iterator[dict[str, Any]]:
    """The JSON objects among a log's lines."""
    for line in text.splitlines():
        with contextlib.suppress(ValueError):
            if isinstance(said := json.loads(line), dict):
                yield said


def condition(one: Object, kind: str, status: str = "True") -> str:
    """Why a condition of an object holds; the empty text where it does not."""
    for each in one.get("status", {}).get("conditions", []):
        if each.get("type") == kind and each.get("status") == status:
            return f"{each.get('reason', kind)} {each.get('message', '')}".strip()
    return ""


def ends(pod: Object) -> Iterator[str]:
    """How a pod ended."""
    name, status = pod["metadata"]["name"], pod.get("status", {})
    if status.get("reason"):
        yield f"{name}: {status['reason']} {status.get('message', '')}".strip()
    for container in status.get("containerStatuses", []):
        ended = container.get("state", {}).get("terminated") or {}
        if ended and ended.get("exitCode") != 0:
            hint = "; raise training.resources, or lower training.micro_batch" * (ended.get("reason") == "OOMKilled")
            yield f"{name}: {ended.get('reason', 'Error')}, exit code {ended.get('exitCode')}{hint}"


def kept_from_starting(pod: Object, reasons: set[str]) -> str:
    """Which of the reasons a container waits for, with the cluster's words; the empty text where it is none."""
    for container in pod.get("status", {}).get("containerStatuses", []):
        waiting = container.get("state", {}).get("waiting") or {}
        if waiting.get("reason") in reasons:
            return f"{waiting['reason']} {waiting.get('message', '')}".strip()
    return ""


def obstacle(job: Object, pods: list[Object]) -> str:
    """What keeps a Job's pods from running, as far as it can be seen; the empty text when nothing does."""
    if job.get("spec", {}).get("suspend"):
        return ""
    if not pods:
        return "the Job has made no pod"
    for pod in pods:
        if why := kept_from_starting(pod, WAITING) or condition(pod, "PodScheduled", "False"):
            return why
    return ""
