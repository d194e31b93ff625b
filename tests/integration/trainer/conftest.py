"""A sealed dataset, and a scripted cluster that is asked to train on it."""

from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest
from tests.integration.api_server import ApiServer
from tests.integration.trainer.cluster import Training
from tests.integration.trainer.ground import Ground, template_of

from ucoder.runtime.settings import Settings
from ucoder.runtime.storage.artifacts import Artifacts
from ucoder.runtime.storage.store import Store


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The Job as the chart's ConfigMap gives it to the trainer."""
    return template_of("training job", tmp_path_factory.mktemp("template"))


@pytest.fixture
async def training(make_settings: Callable[..., Settings], template: Path) -> AsyncIterator[Training]:
    async with ApiServer.running() as server:
        settings = make_settings(training_template=template, kubernetes_url=server.url, kubernetes_namespace="space")
        ground = await Ground.laid(Artifacts(Store(settings)))
        yield Training(server, settings, ground.dataset)
