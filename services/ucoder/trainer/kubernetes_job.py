"""Trains in a Job of the cluster, made from the chart's template, followed by its pods' logs, found again by its name.

The pod (`training_pod`) puts the finished folder into the object store. That folder's result file proves that the
training is done, whatever became of the Job. A trainer that stops following leaves the Job to continue; from here only
`remove` and `remove_unwanted` end it.
"""

import asyncio
import contextlib
import hashlib
import json
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

import structlog
import yaml

from ucoder.errors import Conflict, Misconfigured, NotFound, Reject, Retry, UcoderError
from ucoder.models.weights_probe import TRAINING_RESULT_FILE
from ucoder.runtime.kubernetes_api import PODS, KubernetesApi, Object, ResourceKind
from ucoder.runtime.settings import Settings
from ucoder.runtime.storage.artifacts import name_of
from ucoder.runtime.storage.store import Store
from ucoder.trainer.pod_conditions import NEVER, condition, failures, obstacle, waiting_reason
from ucoder.trainer.training_examples import trained_weights
from ucoder.trainer.training_job import TrainingResult, decode_line
from ucoder.v1 import artifacts_pb2 as pb
from ucoder.v1.trainer_pb2 import TrainingProgress

log = structlog.get_logger()
RUN_LABEL, DATASET_ANNOTATION = "ucoder.dev/run", "ucoder.dev/dataset"
TRAIN_JOB = "TrainJob"
"""The kind of Kubeflow Trainer's objects; it makes a JobSet of the same name for each."""
OWNER_LABELS = ("app.kubernetes.io/instance", "app.kubernetes.io/component")
"""The labels of the template that all Jobs of this release have, and no other Job of the namespace."""
LOG_LINES = 40
"""Number of lines that are read from the end of a pod's log."""


@dataclass(frozen=True, slots=True)
class KubernetesJobs:
    """The trainings of this deployment as Jobs, JobSets or TrainJobs, whichever `UCODER_TRAINING_TEMPLATE` holds."""

    settings: Settings
    store: Store
    poll_seconds: float = 3.0

    async def train(self, dataset: pb.Dataset, on_progress: Callable[[TrainingProgress], None]) -> TrainingResult:
        """Trains on a sealed dataset and returns once the weights are in the store.

        A Job that exists already is followed, not made twice. One that failed is made anew and resumes from its last
        saved state. A cancelled call leaves the Job to the next follower.

        Raises the error of the pod's last line; Retry for a pod that was evicted, killed for memory or deleted by
        others; Misconfigured for one that can never start. After `training_silence_seconds` without any change raises
        Retry if the API server does not answer or the pod prints nothing, Misconfigured if the pod cannot start.
        """
        template = self._template(dataset)
        result = await self._result(dataset)
        if result and template["kind"] != TRAIN_JOB:
            return result
        async with KubernetesApi.open(self.settings) as api:
            job = _FollowedJob(api, template, on_progress, self.settings.training_silence_seconds)
            exists = False
            while not result:
                if exists:
                    await job.check()
                else:
                    exists = await job.submit()
                await asyncio.sleep(self.poll_seconds)
                result = await self._result(dataset)
            if template["kind"] == TRAIN_JOB:  # a Job or JobSet has a time to live, a TrainJob has none
                try:
                    await api.delete(ResourceKind.of(template), template["metadata"]["name"])
                except UcoderError as error:  # the weights are stored, so the training has succeeded
                    log.error("training.job_left_behind", job=template["metadata"]["name"], error=str(error))
        return result

    async def remove(self, dataset: pb.Dataset) -> None:
        """Deletes the Job of a training whose run has ended. The log names a Job that cannot be deleted."""
        template = self._template(dataset)
        kind, name = ResourceKind.of(template), template["metadata"]["name"]
        deadline = time.monotonic() + self.settings.training_silence_seconds
        while True:
            try:
                async with KubernetesApi.open(self.settings) as api:
                    with contextlib.suppress(NotFound):
                        _check_owner(await api.get(kind, name), template)
                        await api.delete(kind, name)
                return
            except UcoderError as error:
                if not isinstance(error, Retry) or time.monotonic() > deadline:
                    log.error("training.job_left_behind", job=name, error=str(error))
                    return
            await asyncio.sleep(self.poll_seconds)

    async def remove_unwanted(self, has_ended: Callable[[str], Awaitable[object]]) -> None:
        """Deletes the Jobs of runs that ended while no trainer was running; `has_ended` gets a run's id."""
        template = self._read_template()
        kind, labels = ResourceKind.of(template), _owner_labels(template)
        async with KubernetesApi.open(self.settings) as api:
            for job in await api.list(kind, ",".join(f"{key}={value}" for key, value in labels.items())):
                run = job["metadata"].get("labels", {}).get(RUN_LABEL)
                if run and await has_ended(run):
                    log.info("training.job_removed", job=job["metadata"]["name"], run=run)
                    await api.delete(kind, job["metadata"]["name"])

    async def _result(self, dataset: pb.Dataset) -> TrainingResult | None:
        """Reads the result file of the finished folder in the store; None while there is none."""
        try:
            content = await trained_weights(dataset).read(self.store, TRAINING_RESULT_FILE)
        except NotFound:
            return None
        return TrainingResult.of(json.loads(content))

    def _read_template(self) -> Object:
        path = self.settings.training_template
        assert path is not None
        try:
            template: Object = yaml.safe_load(path.read_text())
            template["apiVersion"], template["metadata"]["name"], _pod_templates(template)
        except (OSError, yaml.YAMLError, KeyError, TypeError) as error:
            raise Misconfigured(f"UCODER_TRAINING_TEMPLATE={path}: no Job, JobSet or TrainJob: {error!r}.") from None
        return template

    def _template(self, dataset: pb.Dataset) -> Object:
        """Returns the object of a dataset's training. Its name depends on the dataset alone."""
        template = self._read_template()
        metadata = template["metadata"]
        full_name = f"{dataset.run}/{name_of(dataset)}"
        digest = hashlib.sha256(full_name.encode()).hexdigest()[:8]
        metadata["name"] = f"{metadata['name'][:24]}-{full_name.replace('/', '-')[:24].rstrip('-')}-{digest}"
        for each in (metadata, *(pod.setdefault("metadata", {}) for pod in _pod_templates(template))):
            each.setdefault("labels", {})[RUN_LABEL] = dataset.run
            each.setdefault("annotations", {})[DATASET_ANNOTATION] = full_name
        if template["kind"] == TRAIN_JOB:  # its metadata does not reach its pods, its variables do
            variables = template["spec"].setdefault("trainer", {}).setdefault("env", [])
            variables.append({"name": "DATASET", "value": full_name})
        return template


def _pod_templates(job: Object) -> list[Object]:
    """Returns the pod templates inside a Job or a JobSet; those of a TrainJob are in the runtime that it names."""
    spec = job["spec"]
    if job["kind"] == TRAIN_JOB:
        return []
    if "template" in spec:
        return [spec["template"]]
    return [replicated["template"]["spec"]["template"] for replicated in spec["replicatedJobs"]]


def _owner_labels(template: Object) -> dict[str, str]:
    labels = template["metadata"].get("labels", {})
    return {key: labels[key] for key in OWNER_LABELS if key in labels}


def _check_owner(job: Object, template: Object) -> None:
    """Raises Misconfigured for a Job that has our name but was not made from our template: it is never touched.

    A Role cannot hold this rule: it knows names, and no labels, and the names of Jobs are not known before.
    """
    labels, has = _owner_labels(template), job["metadata"].get("labels", {})
    if any(has.get(key) != value for key, value in labels.items()):
        raise Misconfigured(
            f"{job['kind']} {job['metadata']['name']} exists and does not have this release's labels "
            f"({', '.join(f'{key}={value}' for key, value in labels.items())}): delete it or rename it."
        )


class _FollowedJob:
    """One Job that is submitted and then checked again and again; knows how long ago anything changed."""

    def __init__(
        self, api: KubernetesApi, template: Object, on_progress: Callable[[TrainingProgress], None], patience: float
    ) -> None:
        self._api, self._template, self._on_progress, self._patience = api, template, on_progress, patience
        self._kind, self._name = ResourceKind.of(template), template["metadata"]["name"]
        self._last_change = time.monotonic()
        self._logs, self._obstacle, self._progress = "", "", TrainingProgress()

    async def submit(self) -> bool:
        """Makes the Job unless it exists; returns False when this has to be tried again.

        A call that is under way finishes before a cancellation takes effect: nobody would remove a Job made later.
        """
        creation = asyncio.ensure_future(self._api.create(self._template))
        try:
            await asyncio.shield(creation)
        except asyncio.CancelledError:
            await asyncio.gather(creation, return_exceptions=True)
            raise
        except Conflict:
            return await self._adopt()
        except Retry as error:
            self._wait_for_the_server(error)
            return False
        self._last_change = time.monotonic()
        return True

    async def _adopt(self) -> bool:
        """Returns whether the Job that has the name already can be followed; removes it first if it has failed."""
        try:
            job = await self._api.get(self._kind, self._name)
            _check_owner(job, self._template)
            if condition(job, "Failed"):
                await self._api.delete(self._kind, self._name)
                return False
        except NotFound:  # it has gone since it was in the way
            return False
        except Retry as error:
            self._wait_for_the_server(error)
            return False
        return "deletionTimestamp" not in job["metadata"]

    async def check(self) -> None:
        """Passes on the newest progress; raises when the training will not end by itself."""
        label = "job-name" if self._kind.plural == "jobs" else "jobset.sigs.k8s.io/jobset-name"
        try:
            job = await self._api.get(self._kind, self._name)
            _check_owner(job, self._template)
            pods = await self._api.list(PODS, f"{label}={self._name}")
            logs = "\n".join([await self._read_log(pod) for pod in pods])
        except NotFound:
            raise Retry(f"Job {self._name} was deleted from outside; the next attempt makes it anew.") from None
        except Retry as error:
            self._wait_for_the_server(error)
            return
        messages = [decode_line(line) for line in logs.splitlines()]
        self._raise_failure(job, pods, [error for error in messages if isinstance(error, UcoderError)])
        for pod in pods:
            if why := waiting_reason(pod, NEVER):
                await self._api.delete(self._kind, self._name)
                raise Misconfigured(f"training Job {self._name} cannot start: {why}.")
        progress = [moment for moment in messages if isinstance(moment, TrainingProgress)]
        self._progress = progress[-1] if progress else self._progress
        await self._continue(job, obstacle(job, pods), logs)

    def _raise_failure(self, job: Object, pods: list[Object], errors: list[UcoderError]) -> None:
        """Raises what ended the training. A Reject ends it at once, however many attempts the Job has left."""
        for error in errors:
            if isinstance(error, Reject):
                raise error
        if failed := condition(job, "Failed"):
            if errors:
                raise errors[0]
            why = [text for pod in pods for text in failures(pod)]
            raise Retry(f"training Job {self._name} failed: {'; '.join(why) or failed}.")

    async def _continue(self, job: Object, waits_for: str, logs: str) -> None:
        """Reports the progress; gives up when nothing has changed for too long and the Job is in no queue."""
        queued = bool(job.get("spec", {}).get("suspend"))
        if logs != self._logs or queued:
            self._last_change, self._logs = time.monotonic(), logs
        if waits_for and waits_for != self._obstacle:
            log.warning("training.waits", job=self._name, reason=waits_for)
        self._obstacle = waits_for
        self._report("queued: the Job is suspended" if queued else waits_for)
        if time.monotonic() - self._last_change <= self._patience:
            return
        with contextlib.suppress(Retry):  # the next attempt must not follow a pod that hangs
            await self._api.delete(self._kind, self._name)
        if waits_for:
            raise Misconfigured(f"training Job {self._name} could not start for {self._patience:g} s: {waits_for}.")
        raise Retry(f"training Job {self._name} said nothing for {self._patience:g} s and was removed.")

    def _report(self, waiting: str) -> None:
        """Passes on the newest progress, and why the training cannot start or continue; empty while it runs."""
        progress = TrainingProgress()
        progress.CopyFrom(self._progress)
        progress.waiting = waiting
        self._on_progress(progress)

    def _wait_for_the_server(self, error: Retry) -> None:
        log.warning("training.cluster_away", error=str(error))
        self._report(str(error))
        if time.monotonic() - self._last_change > self._patience:
            raise Retry(f"given up waiting for the cluster after {self._patience:g} s: {error}") from None

    async def _read_log(self, pod: Object) -> str:
        try:
            return await self._api.log(pod["metadata"]["name"], LOG_LINES)
        except (NotFound, Reject):  # it has not begun to write, or is gone
            return ""
