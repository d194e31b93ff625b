"""Reads from the status of a Job and its pods why they failed or do not start."""

from collections.abc import Iterator

from ucoder.runtime.kubernetes_api import Object

NEVER = {"InvalidImageName", "CreateContainerConfigError", "ErrImageNeverPull"}
"""Reasons for which a container waits until somebody changes the template."""
WAITING = {"ImagePullBackOff", "ErrImagePull", "RegistryUnavailable", "CreateContainerError", "RunContainerError"}
"""Reasons for waiting that may end by themselves, and often do not."""


def condition(job: Object, kind: str, status: str = "True") -> str:
    """Returns why a condition of an object holds; the empty text if it does not hold."""
    for each in job.get("status", {}).get("conditions", []):
        if each.get("type") == kind and each.get("status") == status:
            return _with_message(each, kind)
    return ""


def failures(pod: Object) -> Iterator[str]:
    """Yields how a pod and its containers failed."""
    name, status = pod["metadata"]["name"], pod.get("status", {})
    if status.get("reason"):
        yield f"{name}: {_with_message(status)}"
    for container in status.get("containerStatuses", []):
        ended = container.get("state", {}).get("terminated") or {}
        if ended and ended.get("exitCode") != 0:
            hint = "; raise training.resources, or lower training.micro_batch" * (ended.get("reason") == "OOMKilled")
            yield f"{name}: {ended.get('reason', 'Error')}, exit code {ended.get('exitCode')}{hint}"


def waiting_reason(pod: Object, reasons: set[str]) -> str:
    """Returns which of the reasons a container waits for; the empty text if it is none of them."""
    for container in pod.get("status", {}).get("containerStatuses", []):
        waiting = container.get("state", {}).get("waiting") or {}
        if waiting.get("reason") in reasons:
            return _with_message(waiting)
    return ""


def obstacle(job: Object, pods: list[Object]) -> str:
    """Returns what visibly keeps a Job's pods from running; the empty text if nothing does."""
    if job.get("spec", {}).get("suspend"):
        return ""
    if not pods:
        return "the Job has made no pod"
    for pod in pods:
        if why := waiting_reason(pod, WAITING) or condition(pod, "PodScheduled", "False"):
            return why
    return ""


def _with_message(status: Object, kind: str = "") -> str:
    return f"{status.get('reason', kind)} {status.get('message', '')}".strip()
