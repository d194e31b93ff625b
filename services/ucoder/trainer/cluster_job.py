"""A training as a Job of the cluster, made from the chart's template, followed by its log, found again by its name.

The pod (`pod.py`) puts the finished folder into the store; that folder's summary is the proof that it is done, whatever
became of the Job.
"""

import asyncio
import contextlib
import hashlib
import json
from collections.abc import Callable, Iterator
from typing import Any

import structlog
import yaml

from ucoder.models.probe import RESULT
from ucoder.runtime.artifacts import name_of
from ucoder.runtime.cluster import PODS, Cluster, Kind, Object
from ucoder.runtime.errors import Conflict, Misconfigured, NotFound, Reject, Retry, UcoderError
from ucoder.runtime.settings import Settings
from ucoder.runtime.store import Store
from ucoder.trainer.job import Progress, fault
from ucoder.trainer.preparing import weights_of
from ucoder.v1 import artifacts_pb2 as pb

log = structlog.get_logger()
RUN, DATASET = "ucoder.dev/run", "ucoder.dev/dataset"
LINES = 40
"""Of a pod's log that are looked at: its last words."""


async def train(
    settings: Settings, store: Store, dataset: pb.Dataset, on_progress: Callable[[Progress], None],
    look_seconds: float = 3.0,
) -> tuple[pb.TrainingSummary, float]:  # fmt: skip
    """The summary and the probe's log-probability, once the weights are in the store.

    A Job that is there already is followed, not made twice; one that failed is made anew, and goes on from its last
    saved state. An API server that is away is waited for. Raises what the pod's last line names; Retry for a pod that
    was evicted, killed for memory, or deleted from outside; Misconfigured for one that can never start.
    """
    if done := await _finished(store, dataset):
        return done
    template = _template(settings, dataset)
    kind, name = Kind.of(template), template["metadata"]["name"]
    async with Cluster.open(settings) as cluster:
        try:
            await _patiently(look_seconds, lambda: _submitted(cluster, kind, template))
            while not (done := await _finished(store, dataset)):
                await asyncio.sleep(look_seconds)
                await _look(cluster, kind, name, on_progress)
        except asyncio.CancelledError:
            with contextlib.suppress(UcoderError):
                await asyncio.shield(cluster.delete(kind, name))
            raise
    return done


async def _finished(store: Store, dataset: pb.Dataset) -> tuple[pb.TrainingSummary, float] | None:
    """What the finished folder in the store says; None while there is none."""
    prefix = weights_of(dataset)
    try:
        if store.remote:
            await store.get(f"{prefix}/DONE")
        said = json.loads(await store.get(f"{prefix}/{RESULT}"))
    except NotFound:
        return None
    probe = float(said.pop("probe_log_prob"))
    said.pop("training")
    return pb.TrainingSummary(**said), probe


def _template(settings: Settings, dataset: pb.Dataset) -> Object:
    """The Job of a dataset. Its name depends on the dataset alone."""
    path = settings.training_template
    assert path is not None
    try:
        one: Object = yaml.safe_load(path.read_text())
        metadata = one["metadata"]
        spec = one["spec"]
        pods = [spec["template"]] if "template" in spec else [
            job["template"]["spec"]["template"] for job in spec["replicatedJobs"]
        ]  # fmt: skip
    except (OSError, yaml.YAMLError, KeyError, TypeError) as error:
        raise Misconfigured(f"UCODER_TRAINING_TEMPLATE={path}: no Job or JobSet: {error!r}.") from None
    full = f"{dataset.run}/{name_of(dataset)}"
    digest = hashlib.sha256(full.encode()).hexdigest()[:8]
    metadata["name"] = f"{metadata['name'][:24]}-{full.replace('/', '-')[:24].rstrip('-')}-{digest}"
    for each in (metadata, *(pod.setdefault("metadata", {}) for pod in pods)):
        each.setdefault("labels", {})[RUN] = dataset.run
        each.setdefault("annotations", {})[DATASET] = full
    return one


async def _patiently(look_seconds: float, call: Callable[[], Any]) -> Any:
    """The call's answer, once the API server gives one."""
    while True:
        try:
            return await call()
        except Retry as error:
            log.warning("training.cluster_away", error=str(error))
            await asyncio.sleep(look_seconds)


async def _submitted(cluster: Cluster, kind: Kind, one: Object) -> None:
    """Sees to it that the Job is there, and not one that has failed."""
    try:
        await cluster.create(one)
    except Conflict:
        there = await cluster.get(kind, one["metadata"]["name"])
        if _condition(there, "Failed"):
            await cluster.delete(kind, one["metadata"]["name"])
            raise Retry(f"Job {one['metadata']['name']} had failed; it is made anew.") from None


async def _look(cluster: Cluster, kind: Kind, name: str, on_progress: Callable[[Progress], None]) -> None:
    """Passes on the newest progress; raises when the training will not end by itself."""
    try:
        job = await cluster.get(kind, name)
        label = "job-name" if kind.plural == "jobs" else "jobset.sigs.k8s.io/jobset-name"
        pods = await cluster.list(PODS, f"{label}={name}")
        logs = [await _log(cluster, pod) for pod in pods]
    except NotFound:
        raise Retry(f"Job {name} was deleted from outside; the next attempt makes it anew.") from None
    except Retry as error:
        log.warning("training.cluster_away", error=str(error))
        return
    said = [line for text in logs for line in _lines(text)]
    if moments := [line["progress"] for line in said if "progress" in line]:
        on_progress(Progress(**moments[-1]))
    if failed := _condition(job, "Failed"):
        for line in said:
            if "error" in line:
                raise fault(line)
        why = [words for pod in pods for words in _ends(pod)]
        raise Retry(f"training Job {name} failed: {'; '.join(why) or failed}.")
    for pod in pods:
        _startable(name, pod)


async def _log(cluster: Cluster, pod: Object) -> str:
    try:
        return await cluster.log(pod["metadata"]["name"], LINES)
    except (NotFound, Reject):  # it has not begun to write, or is gone
        return ""


def _lines(text: str) -> Iterator[dict[str, Any]]:
    """The JSON objects among a log's lines."""
    for line in text.splitlines():
        with contextlib.suppress(ValueError):
            if isinstance(said := json.loads(line), dict):
                yield said


def _condition(job: Object, kind: str) -> str:
    """Why a condition holds; the empty text where it does not."""
    for one in job.get("status", {}).get("conditions", []):
        if one.get("type") == kind and one.get("status") == "True":
            return f"{one.get('reason', kind)} {one.get('message', '')}".strip()
    return ""


def _ends(pod: Object) -> Iterator[str]:
    """How a pod ended, in words."""
    name, status = pod["metadata"]["name"], pod.get("status", {})
    if status.get("reason"):
        yield f"{name}: {status['reason']} {status.get('message', '')}".strip()
    for container in status.get("containerStatuses", []):
        ended = container.get("state", {}).get("terminated") or {}
        if ended and ended.get("exitCode") != 0:
            hint = "; raise training.resources, or lower training.micro_batch" * (ended.get("reason") == "OOMKilled")
            yield f"{name}: {ended.get('reason', 'Error')}, exit code {ended.get('exitCode')}{hint}"


def _startable(name: str, pod: Object) -> None:
    for container in pod.get("status", {}).get("containerStatuses", []):
        waiting = container.get("state", {}).get("waiting") or {}
        if waiting.get("reason") in {"InvalidImageName", "CreateContainerConfigError", "ErrImageNeverPull"}:
            raise Misconfigured(f"training Job {name} cannot start: {waiting['reason']} {waiting.get('message', '')}")
