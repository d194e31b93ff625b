"""Fixtures: a sealed dataset, and a scripted cluster that trains on it."""

from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest
from tests.integration.api_server import ApiServer
from tests.integration.trainer.scripted_cluster import ClusterTraining
from tests.integration.trainer.stored_run import StoredRun, job_template

from ucoder.runtime.settings import Settings
from ucoder.runtime.storage.artifacts import Artifacts
from ucoder.runtime.storage.store import Store


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The Job as the chart's ConfigMap gives it to the trainer."""
    return job_template("training job", tmp_path_factory.mktemp("template"))


@pytest.fixture
async def training(make_settings: Callable[..., Settings], template: Path) -> AsyncIterator[ClusterTraining]:
    async with ApiServer.running() as server:
        settings = make_settings(training_template=template, kubernetes_url=server.url, kubernetes_namespace="space")
        stored = await StoredRun.create(Artifacts(Store(settings)))
        yield ClusterTraining(server, settings, stored.dataset)
