"""Tests of the Kubernetes client with a scripted API server that checks every object with the API's own schemas."""

from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest

from ucoder.errors import Conflict, Misconfigured, NotFound, Reject, Retry
from ucoder.runtime.kubernetes_api import PODS, KubernetesApi, Object, ResourceKind
from ucoder.runtime.settings import Settings

from ..api_server import ApiServer

JOBS = ResourceKind("batch/v1", "jobs")


@pytest.fixture
async def server() -> AsyncIterator[ApiServer]:
    async with ApiServer.running() as server:
        yield server


@pytest.fixture
async def cluster(server: ApiServer, make_settings: Callable[..., Settings]) -> AsyncIterator[KubernetesApi]:
    async with KubernetesApi.open(make_settings(kubernetes_url=server.url, kubernetes_namespace="ours")) as cluster:
        yield cluster


def job(name: str = "one") -> Object:
    pod = {"restartPolicy": "Never", "containers": [{"name": "main", "image": "image"}]}
    return {
        "apiVersion": "batch/v1", "kind": "Job", "metadata": {"name": name, "labels": {"a": "b"}},
        "spec": {"template": {"spec": pod}},
    }  # fmt: skip


async def test_an_object_is_created_read_changed_and_removed(server: ApiServer, cluster: KubernetesApi) -> None:
    made = await cluster.create(job())
    assert made["metadata"]["namespace"] == "ours"
    assert await cluster.get(JOBS, "one") == made
    assert await cluster.list(JOBS, "a=b") == [made]
    assert await cluster.list(JOBS, "a=c") == []
    changed = await cluster.patch(
        JOBS, "one", {"metadata": {"labels": {"a": None, "c": "d"}}, "spec": {"parallelism": 2}}
    )
    assert (changed["metadata"]["labels"], changed["spec"]["parallelism"]) == ({"c": "d"}, 2)
    await cluster.delete(JOBS, "one")
    await cluster.delete(JOBS, "one")
    with pytest.raises(NotFound, match="jobs one not found"):
        await cluster.get(JOBS, "one")
    assert ("patch", "jobs", "one") in server.calls


async def test_an_object_that_the_api_refuses_raises_reject_or_conflict(cluster: KubernetesApi) -> None:
    wrong = job()
    wrong["spec"]["paralelism"] = 1
    with pytest.raises(Reject, match="paralelism"):
        await cluster.create(wrong)
    await cluster.create(job())
    with pytest.raises(Conflict, match="already exists"):
        await cluster.create(job())
    with pytest.raises(Reject, match="parallelism"):
        await cluster.patch(JOBS, "one", {"spec": {"parallelism": "two"}})


async def test_the_last_lines_of_a_log_are_read(server: ApiServer, cluster: KubernetesApi) -> None:
    server.pod("pod", {})
    server.logs["pod"] = "one\ntwo\nthree\n"
    assert await cluster.log("pod", 2) == "two\nthree\n"
    assert [one["metadata"]["name"] for one in await cluster.list(PODS)] == ["pod"]
    with pytest.raises(NotFound):
        await cluster.log("other", 1)


async def test_each_failure_of_the_server_has_its_own_error(server: ApiServer, cluster: KubernetesApi) -> None:
    await server.stop()
    with pytest.raises(Retry, match="does not answer"):
        await cluster.list(JOBS)
    await server.start()
    assert await cluster.list(JOBS) == []
    for status, fault in ((429, Retry), (500, Retry), (503, Retry), (401, Misconfigured), (403, Misconfigured)):
        server.refuse = {"list": status}
        with pytest.raises(fault, match=f"{status}: scripted to refuse"):
            await cluster.list(JOBS)


async def test_without_a_cluster_the_error_names_the_setting(
    make_settings: Callable[..., Settings], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr("kubernetes.aio.config.kube_config.KUBE_CONFIG_DEFAULT_LOCATION", str(tmp_path / "none"))
    with pytest.raises(Misconfigured, match="UCODER_KUBERNETES_URL"):
        async with KubernetesApi.open(make_settings()):
            pass
