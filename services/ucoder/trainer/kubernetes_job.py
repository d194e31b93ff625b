"""A training as a Job of the cluster, made from the chart's template, followed by its log, found again by its name.

The pod (`pod.py`) puts the finished folder into the store; that folder's summary is the proof that it is done, whatever
became of the Job. Whoever stops following leaves the Job to work on; only `remove` and `sweep` end it from here.
"""

import asyncio
import contextlib
import hashlib
import json
import time
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import structlog
import yaml

from ucoder.errors import Conflict, Misconfigured, NotFound, Reject, Retry, UcoderError
from ucoder.models.weights_probe import TRAINING_RESULT_FILE
from ucoder.runtime.kubernetes_api import PODS, KubernetesApi, Object, ResourceKind
from ucoder.runtime.settings import Settings
from ucoder.runtime.storage.artifacts import name_of
from ucoder.runtime.storage.store import Store
from ucoder.trainer.pod_conditions import NEVER, condition, ends, kept_from_starting, lines, obstacle
from ucoder.trainer.preparing import weights_of
from ucoder.trainer.training_job import TrainingProgress, fault
from ucoder.v1 import artifacts_pb2 as pb

log = structlog.get_logger()
RUN, DATASET = "ucoder.dev/run", "ucoder.dev/dataset"
TRAIN_JOB = "TrainJob"
"""Of Kubeflow Trainer, which makes a JobSet of the same name of it."""
LINES = 40
"""Of a pod's log that are looked at: its last words."""
LOOK_SECONDS = 3.0


async def train(
    settings: Settings, store: Store, dataset: pb.Dataset, on_progress: Callable[[TrainingProgress], None],
    look_seconds: float = LOOK_SECONDS,
) -> tuple[pb.TrainingSummary, float]:  # fmt: skip
    """The summary and the probe's log-probability, once the weights are in the store.

    A Job that is there already is followed, not made twice; one that failed is made anew, and goes on from its last
    saved state. A cancelled call leaves it to whoever follows next. Raises what the pod's last line names; Retry for a
    pod that was evicted, killed for memory, or deleted from outside; Misconfigured for one that can never start. What
    stands still for `training_silence_seconds` is given up: the API server that is away and the pod that says nothing
    with Retry, the pod that cannot start with Misconfigured.
    """
    template = _template(settings, dataset)
    done = await _finished(store, dataset)
    if done and template["kind"] != TRAIN_JOB:
        return done
    async with KubernetesApi.open(settings) as cluster:
        follower = _Follower(cluster, template, on_progress, settings.training_silence_seconds)
        there = False
        while not done:
            if there:
                await follower.look()
            else:
                there = await follower.submitted()
            await asyncio.sleep(look_seconds)
            done = await _finished(store, dataset)
        if template["kind"] == TRAIN_JOB:  # nothing else ends its life; Jobs and JobSets have a time to live
            try:
                await cluster.delete(ResourceKind.of(template), template["metadata"]["name"])
            except UcoderError as error:  # the weights are there: that is no reason to fail
                log.error("training.job_left_behind", job=template["metadata"]["name"], error=str(error))
    return done


async def remove(settings: Settings, dataset: pb.Dataset, look_seconds: float = LOOK_SECONDS) -> None:
    """Ends the Job of a training that nobody wants any more. A Job that could not be ended is named in the log."""
    template = _template(settings, dataset)
    kind, name = ResourceKind.of(template), template["metadata"]["name"]
    give_up = time.monotonic() + settings.training_silence_seconds
    while True:
        try:
            async with KubernetesApi.open(settings) as cluster:
                await cluster.delete(kind, name)
            return
        except UcoderError as error:
            if not isinstance(error, Retry) or time.monotonic() > give_up:
                log.error("training.job_left_behind", job=name, error=str(error))
                return
        await asyncio.sleep(look_seconds)


async def sweep(settings: Settings, unwanted: Callable[[str], Any]) -> None:
    """Ends the Jobs of runs that ended while no trainer was there to see it."""
    kind = ResourceKind.of(_read(settings))
    async with KubernetesApi.open(settings) as cluster:
        for one in await cluster.list(kind):
            run = one["metadata"].get("labels", {}).get(RUN)
            if run and await unwanted(run):
                log.info("training.job_swept", job=one["metadata"]["name"], run=run)
                await cluster.delete(kind, one["metadata"]["name"])


async def _finished(store: Store, dataset: pb.Dataset) -> tuple[pb.TrainingSummary, float] | None:
    """What the finished folder in the store says; None while there is none."""
    try:
        said = json.loads(await store.get_of(weights_of(dataset), TRAINING_RESULT_FILE))
    except NotFound:
        return None
    probe = float(said.pop("probe_log_prob"))
    said.pop("training")
    return pb.TrainingSummary(**said), probe


def _pods_of(one: Object) -> list[Object]:
    """The pod templates inside a Job or a JobSet; those of a TrainJob lie in the runtime that it names."""
    spec = one["spec"]
    if one["kind"] == TRAIN_JOB:
        return []
    if "template" in spec:
        return [spec["template"]]
    return [job["template"]["spec"]["template"] for job in spec["replicatedJobs"]]


def _read(settings: Settings) -> Object:
    path = settings.training_template
    assert path is not None
    try:
        one: Object = yaml.safe_load(path.read_text())
        one["apiVersion"], one["metadata"]["name"], _pods_of(one)
    except (OSError, yaml.YAMLError, KeyError, TypeError) as error:
        raise Misconfigured(f"UCODER_TRAINING_TEMPLATE={path}: no Job, JobSet or TrainJob: {error!r}.") from None
    return one


def _template(settings: Settings, dataset: pb.Dataset) -> Object:
    """The Job of a dataset. Its name depends on the dataset alone."""
    one = _read(settings)
    metadata = one["metadata"]
    full = f"{dataset.run}/{name_of(dataset)}"
    digest = hashlib.sha256(full.encode()).hexdigest()[:8]
    metadata["name"] = f"{metadata['name'][:24]}-{full.replace('/', '-')[:24].rstrip('-')}-{digest}"
    for each in (metadata, *(pod.setdefault("metadata", {}) for pod in _pods_of(one))):
        each.setdefault("labels", {})[RUN] = dataset.run
        each.setdefault("annotations", {})[DATASET] = full
    if one["kind"] == TRAIN_JOB:  # its metadata does not reach its pods, its variables do
        one["spec"].setdefault("trainer", {}).setdefault("env", []).append({"name": "DATASET", "value": full})
    return one


class _Follower:
    """Sees to it that one Job is there, and watches it. Knows for how long nothing has moved."""

    def __init__(
        self, cluster: KubernetesApi, template: Object, on_progress: Callable[[TrainingProgress], None], patience: float
    ) -> None:
        self._cluster, self._template, self._on_progress, self._patience = cluster, template, on_progress, patience
        self._kind, self._name = ResourceKind.of(template), template["metadata"]["name"]
        self._moved = time.monotonic()
        self._heard, self._obstacle, self._moment = "", "", TrainingProgress()

    async def submitted(self) -> bool:
        """Makes the Job unless it is there; False when that has to be tried again.

        A call that is under way ends before a cancellation does: a Job made later would have nobody to remove it.
        """
        making = asyncio.ensure_future(self._cluster.create(self._template))
        try:
            await asyncio.shield(making)
        except asyncio.CancelledError:
            await asyncio.gather(making, return_exceptions=True)
            raise
        except Conflict:
            return await self._adopted()
        except Retry as error:
            self._wait_for_the_server(error)
            return False
        self._moved = time.monotonic()
        return True

    async def _adopted(self) -> bool:
        """Whether the Job that bears the name can be followed; one that has failed is removed first."""
        try:
            there = await self._cluster.get(self._kind, self._name)
            if condition(there, "Failed"):
                await self._cluster.delete(self._kind, self._name)
                return False
        except NotFound:  # gone since it was in the way
            return False
        except Retry as error:
            self._wait_for_the_server(error)
            return False
        return "deletionTimestamp" not in there["metadata"]

    async def look(self) -> None:
        """Passes on the newest progress; raises when the training will not end by itself."""
        try:
            job = await self._cluster.get(self._kind, self._name)
            label = "job-name" if self._kind.plural == "jobs" else "jobset.sigs.k8s.io/jobset-name"
            pods = await self._cluster.list(PODS, f"{label}={self._name}")
            logs = [await self._log(pod) for pod in pods]
        except NotFound:
            raise Retry(f"Job {self._name} was deleted from outside; the next attempt makes it anew.") from None
        except Retry as error:
            self._wait_for_the_server(error)
            return
        said = [line for text in logs for line in lines(text)]
        self._judge(job, pods, [fault(line) for line in said if "error" in line])
        moments = [TrainingProgress(**line["progress"]) for line in said if "progress" in line]
        self._moment = moments[-1] if moments else self._moment
        await self._go_on(job, pods, "\n".join(logs))

    def _judge(self, job: Object, pods: list[Object], faults: list[UcoderError]) -> None:
        """Raises what ended the training. What no retry can mend ends it at once, whatever the Job has left."""
        for one in faults:
            if isinstance(one, Reject):
                raise one
        if failed := condition(job, "Failed"):
            for one in faults:
                raise one
            why = [words for pod in pods for words in ends(pod)]
            raise Retry(f"training Job {self._name} failed: {'; '.join(why) or failed}.")

    async def _go_on(self, job: Object, pods: list[Object], heard: str) -> None:
        for pod in pods:
            if why := kept_from_starting(pod, NEVER):
                await self._cluster.delete(self._kind, self._name)
                raise Misconfigured(f"training Job {self._name} cannot start: {why}.")
        waits = obstacle(job, pods)
        queued = bool(job.get("spec", {}).get("suspend"))
        if heard != self._heard or queued:
            self._moved, self._heard = time.monotonic(), heard
        if waits and waits != self._obstacle:
            log.warning("training.waits", job=self._name, reason=waits)
        self._obstacle = waits
        self._on_progress(replace(self._moment, waiting="queued: the Job is suspended" if queued else waits))
        if time.monotonic() - self._moved <= self._patience:
            return
        with contextlib.suppress(Retry):  # a hung pod must not be what the next attempt follows
            await self._cluster.delete(self._kind, self._name)
        if waits:
            raise Misconfigured(f"training Job {self._name} could not start for {self._patience:g} s: {waits}.")
        raise Retry(f"training Job {self._name} said nothing for {self._patience:g} s and was removed.")

    def _wait_for_the_server(self, error: Retry) -> None:
        log.warning("training.cluster_away", error=str(error))
        self._on_progress(replace(self._moment, waiting=str(error)))
        if time.monotonic() - self._moved > self._patience:
            raise Retry(f"given up waiting for the cluster after {self._patience:g} s: {error}") from None

    async def _log(self, pod: Object) -> str:
        try:
            return await self._cluster.log(pod["metadata"]["name"], LINES)
        except (NotFound, Reject):  # it has not begun to write, or is gone
            return ""
