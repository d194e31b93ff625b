"""A StatefulSet that is rolled: the test acts as its controller on a scripted API server."""

import asyncio
import itertools
from collections.abc import AsyncIterator

import pytest
from tests.integration.api_server import ApiServer
from tests.integration.models.test_openai_model import Reply, ScriptedServer, scripted

from ucoder.errors import Misconfigured, Retry
from ucoder.models import open_model
from ucoder.models.openai_model import OpenAIModel
from ucoder.models.serving.statefulset import ANNOTATION, MAX_UNAVAILABLE, REVISION, StatefulSetServer
from ucoder.runtime.kubernetes_api import PODS, STATEFUL_SETS, Object
from ucoder.runtime.settings import Settings

NEW = "store:run/weights/001"
LABELS = {"app": "vllm"}


class Controller:
    """Rolls two pods; `problem` is the status of a new pod's container that does not start."""

    def __init__(self, api: ApiServer) -> None:
        self.api, self.problem, self.conditions = api, {}, []
        self.names = ["base"]
        """The models that the endpoint lists."""
        container = {"name": "vllm", "image": "vllm"}
        weights = {"name": "weights", "image": "service", "env": [{"name": "BASE", "value": "base"}]}
        template = {"metadata": {"labels": LABELS}, "spec": {"containers": [container], "initContainers": [weights]}}
        spec = {"replicas": 2, "serviceName": "v", "selector": {"matchLabels": LABELS}, "template": template}
        status = {"observedGeneration": 1, "updateRevision": "r1", "updatedReplicas": 2, "readyReplicas": 2}
        metadata = {"name": "vllm", "generation": 1}
        api.put({"apiVersion": "apps/v1", "kind": "StatefulSet", "metadata": metadata, "spec": spec, "status": status})
        api.react = self.roll

    @property
    def annotation(self) -> str | None:
        one = self.api.objects[STATEFUL_SETS, "vllm"]
        found: str | None = one["spec"]["template"]["metadata"].get("annotations", {}).get(ANNOTATION)
        return found

    def roll(self, one: Object) -> None:
        if one["kind"] != "StatefulSet":
            return
        served, generation = self.annotation or "base", one["metadata"]["generation"]
        stuck = bool((self.problem or self.conditions) and served == NEW)
        one["status"] = {
            "observedGeneration": generation, "updateRevision": f"r{generation}",
            "updatedReplicas": 1 if stuck else 2, "readyReplicas": 1 if stuck else 2,
        }  # fmt: skip
        labels = {**LABELS, REVISION: f"r{generation}"}
        self.api.pod("vllm-1", labels, conditions=self.conditions, containerStatuses=[{"name": "vllm", **self.problem}])
        self.names = ["base" if stuck else served]

    def listing(self) -> Reply:
        return 200, {}, {"data": [{"id": name} for name in self.names]}


@pytest.fixture
async def controller() -> AsyncIterator[Controller]:
    async with ApiServer.running() as api:
        yield Controller(api)


@pytest.fixture
async def endpoint(controller: Controller) -> AsyncIterator[ScriptedServer]:
    async with scripted() as endpoint:
        endpoint._replies = (controller.listing() for _ in itertools.count())
        yield endpoint


def settings(controller: Controller, endpoint: ScriptedServer, **changed: object) -> Settings:
    values = {
        "model_url": endpoint.url, "rollout_statefulset": "vllm", "kubernetes_url": controller.api.url,
        "model_seconds": 20,
    }  # fmt: skip
    return Settings.model_validate({**values, **changed})


@pytest.fixture
async def server(controller: Controller, endpoint: ScriptedServer) -> AsyncIterator[StatefulSetServer]:
    client = OpenAIModel(endpoint.url)
    yield StatefulSetServer(client, settings(controller, endpoint), poll_seconds=0.05)
    await client.close()


async def test_it_is_rolled_once_and_only_by_the_calls_that_its_role_allows(
    controller: Controller, server: StatefulSetServer
) -> None:
    await server.switch("base")  # what is served without an annotation
    assert controller.annotation is None
    await server.switch(NEW)
    await server.switch(NEW)
    assert controller.annotation == NEW
    verbs = [(verb, resource) for verb, resource, _ in controller.api.calls]
    assert verbs.count(("patch", "statefulsets")) == 1
    assert set(verbs) == {("get", "statefulsets"), ("patch", "statefulsets"), ("list", "pods")}
    await server.switch("base")
    assert controller.names == ["base"]


@pytest.mark.parametrize(
    ("waiting", "restarts", "error"),
    [
        ({"reason": "ImagePullBackOff", "message": "Back-off pulling image vllm"}, 0, Retry),
        ({"reason": "CrashLoopBackOff", "message": "back-off 40s"}, 3, Misconfigured),
        ({"reason": "InvalidImageName", "message": "vllm:::"}, 0, Misconfigured),
    ],
)
async def test_pods_that_cannot_run_are_named_and_the_old_weights_stay(
    controller: Controller, server: StatefulSetServer, waiting: dict[str, str], restarts: int, error: type[Exception]
) -> None:
    controller.problem = {"state": {"waiting": waiting}, "restartCount": restarts}
    with pytest.raises(error, match=rf"vllm-1/vllm: {waiting['reason']} {waiting['message'][:4]}"):
        await server.switch(NEW)
    assert controller.annotation is None
    assert controller.names == ["base"]


async def test_one_crash_is_waited_out(controller: Controller, server: StatefulSetServer) -> None:
    controller.problem = {"state": {"waiting": {"reason": "CrashLoopBackOff"}}, "restartCount": 1}
    task = asyncio.create_task(server.switch(NEW))
    await asyncio.sleep(0.3)
    assert not task.done()
    controller.problem = {}
    controller.roll(controller.api.objects[STATEFUL_SETS, "vllm"])
    await task


async def test_the_error_after_a_timeout_names_what_was_missing(
    controller: Controller, endpoint: ScriptedServer
) -> None:
    message = "0/5 nodes have nvidia.com/gpu"
    controller.conditions = [{"type": "PodScheduled", "reason": "Unschedulable", "message": message}]
    client = OpenAIModel(endpoint.url)
    server = StatefulSetServer(client, settings(controller, endpoint, model_seconds=3.0), poll_seconds=0.05)
    with pytest.raises(Retry, match=f"after 3 s.*vllm-1 finds no node: {message}"):
        await server.switch(NEW)
    await client.close()


async def test_an_api_server_that_is_away_is_waited_for(controller: Controller, server: StatefulSetServer) -> None:
    await controller.api.stop()
    task = asyncio.create_task(server.switch(NEW))
    await asyncio.sleep(0.3)
    await controller.api.start()
    controller.problem = {"state": {"waiting": {"reason": "ContainerCreating"}}}
    while controller.annotation is None:
        await asyncio.sleep(0.05)
    await controller.api.stop()  # and in the middle of the rollout
    await asyncio.sleep(0.3)
    controller.problem = {}
    await controller.api.start()
    controller.roll(controller.api.objects[STATEFUL_SETS, "vllm"])
    await task
    assert controller.names == [NEW]


async def test_changes_by_other_clients_during_a_rollout_are_reported(
    controller: Controller, server: StatefulSetServer
) -> None:
    controller.problem = {"state": {"waiting": {"reason": "ContainerCreating"}}}
    task = asyncio.create_task(server.switch(NEW))
    while controller.annotation is None:
        await asyncio.sleep(0.02)
    kept = controller.api.objects.pop((STATEFUL_SETS, "vllm"))
    with pytest.raises(Retry, match="was deleted while it was rolled"):
        await task
    with pytest.raises(Misconfigured, match="UCODER_ROLLOUT_STATEFULSET=vllm"):
        await server.switch(NEW)
    controller.api.put(kept)
    calls = len(controller.api.calls)
    task = asyncio.create_task(server.switch(NEW))
    while len(controller.api.calls) == calls:  # until it has seen its own rollout under way
        await asyncio.sleep(0.02)
    kept["spec"]["template"]["metadata"]["annotations"][ANNOTATION] = "store:other/weights/001"
    with pytest.raises(Retry, match="another client made vllm serve store:other"):
        await task


class LargeRollout:
    """A controller of eight pods that takes one old pod away at a time; a pod is ready four readings after its start.

    A reading is one look of the server at the StatefulSet, which is a second in a cluster.
    """

    def __init__(self, controller: Controller, most: str) -> None:
        self.api, self.controller, self.reading, self.most_away = controller.api, controller, 0, 0
        self.item = self.api.objects[STATEFUL_SETS, "vllm"]
        self.item["spec"]["replicas"] = 8
        self.item["metadata"]["annotations"] = {MAX_UNAVAILABLE: most}
        self.started = dict.fromkeys((f"vllm-{number}" for number in range(8)), -4)
        self.revisions = dict.fromkeys(self.started, "r1")
        self.api.react = lambda item: None
        self.api.on_call = self.step
        self.show("r1")

    def step(self, verb: str, resource: str) -> None:
        if (verb, resource) != ("get", "statefulsets"):
            return
        self.item, self.reading = self.api.objects[STATEFUL_SETS, "vllm"], self.reading + 1
        revision = f"r{self.item['metadata']['generation']}"
        for name in self.started:
            if (PODS, name) not in self.api.objects:
                self.started[name], self.revisions[name] = self.reading, revision
        ready = [name for name, since in self.started.items() if self.reading - since >= 4]
        self.most_away = max(self.most_away, 8 - len(ready))
        old = [name for name in self.started if self.revisions[name] != revision]
        if old and len(ready) == 8:
            self.started[old[-1]], self.revisions[old[-1]] = self.reading, revision
        self.show(revision)

    def show(self, revision: str) -> None:
        ready = {name for name, since in self.started.items() if self.reading - since >= 4}
        for name, own in self.revisions.items():
            condition = {"type": "Ready", "status": str(name in ready)}
            self.api.pod(name, {**LABELS, REVISION: own}, conditions=[condition])
        updated = [name for name, own in self.revisions.items() if own == revision]
        self.item["status"] = {
            "observedGeneration": self.item["metadata"]["generation"], "updateRevision": revision,
            "updatedReplicas": len(updated), "readyReplicas": len(ready),
        }  # fmt: skip
        self.controller.names = [NEW] if set(updated) & ready else ["base"]


@pytest.mark.parametrize(("most", "away", "readings"), [("50%", 4, 12), ("100%", 8, 8), ("1", 1, 48)])
async def test_pods_are_replaced_together_up_to_the_budget(
    controller: Controller, server: StatefulSetServer, most: str, away: int, readings: int
) -> None:
    rollout = LargeRollout(controller, most)
    await server.switch(NEW)
    assert rollout.most_away == away
    assert rollout.reading <= readings
    assert set(rollout.revisions.values()) == {"r2"}


async def test_without_the_right_to_delete_pods_the_controller_replaces_them(
    controller: Controller, server: StatefulSetServer
) -> None:
    rollout = LargeRollout(controller, "50%")
    controller.api.refuse["delete"] = 403
    await server.switch(NEW)
    assert rollout.most_away == 1
    assert len([call for call in controller.api.calls if call[0] == "delete"]) == 1


async def test_a_missing_permission_is_misconfigured(controller: Controller, server: StatefulSetServer) -> None:
    controller.api.refuse["patch"] = 403
    with pytest.raises(Misconfigured, match="403"):
        await server.switch(NEW)


async def test_the_setting_makes_the_model_exclusive(controller: Controller, endpoint: ScriptedServer) -> None:
    model = open_model(settings(controller, endpoint))
    assert (model.exclusive, model.reads_folders) == (True, False)
    await model.close()
