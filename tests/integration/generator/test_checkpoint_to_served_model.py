"""Checkpoints take turns on a server that holds one at a time, under names it can find (real bus and store)."""

import asyncio
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from types import SimpleNamespace

import pytest

from ucoder.errors import Retry
from ucoder.generator import checkpoint_to_served_model
from ucoder.models import TextScore
from ucoder.runtime.messaging.bus import Bus
from ucoder.runtime.messaging.run_states import RunStates
from ucoder.runtime.metrics import Metrics
from ucoder.runtime.settings import Settings
from ucoder.runtime.storage.artifacts import Artifacts
from ucoder.runtime.storage.store import Store
from ucoder.v1 import artifacts_pb2 as pb


class RecordingModel:
    """A model that records what it serves; the probe scores -1."""

    def __init__(self, *, folders: bool, exclusive: bool) -> None:
        self.reads_folders, self.exclusive, self.serves = folders, exclusive, [""]

    async def serve(self, model: str) -> None:
        self.serves.append(model)

    async def score(self, model: str, text: str) -> TextScore:
        return TextScore(mean_log_prob=-1.0, tokens=3)


@pytest.fixture
async def service(nats_url: str, make_settings: Callable[..., Settings]) -> AsyncIterator[SimpleNamespace]:
    settings = make_settings(nats_url=nats_url)
    bus = await Bus.connect(settings)
    model = RecordingModel(folders=True, exclusive=True)
    yield SimpleNamespace(
        model=model,
        artifacts=Artifacts(Store(settings)),
        states=await RunStates.open(bus),
        settings=settings,
        metrics=Metrics(),
    )
    await bus.close()


async def begun(service: SimpleNamespace, name: str) -> pb.Run:
    run = pb.Run(id=name, format=1)
    run.created.GetCurrentTime()
    await service.states.begin(name)
    await service.artifacts.save(name, run)
    return run


def checkpoint(run: pb.Run, iteration: int, variant: pb.Variant.ValueType = pb.VARIANT_LOOP) -> pb.Checkpoint:
    return pb.Checkpoint(run=run.id, iteration=iteration, variant=variant, path=f"/weights/{iteration}/{variant}")


async def test_the_next_checkpoint_waits_until_the_last_was_evaluated(service: SimpleNamespace) -> None:
    run = await begun(service, "one")
    first = await checkpoint_to_served_model.run(service, checkpoint(run, 1), run)
    await service.artifacts.save(run.id, first)
    control = checkpoint(run, 1, pb.VARIANT_CONTROL)
    task = asyncio.create_task(checkpoint_to_served_model.run(service, control, run))
    await asyncio.sleep(1.3)
    assert service.metrics.registry.get_sample_value("ucoder_checkpoint_switch_seconds_count")
    assert service.model.serves[-1] == "/weights/1/1"
    await service.artifacts.save(run.id, pb.Evaluation(served=first))
    assert (await task).model == service.model.serves[-1] == control.path


async def test_the_oldest_run_has_the_server_until_it_ends(service: SimpleNamespace) -> None:
    old, young = await begun(service, "z-old"), await begun(service, "a-young")
    task = asyncio.create_task(checkpoint_to_served_model.run(service, checkpoint(young, 0), young))
    await asyncio.sleep(0.3)
    await checkpoint_to_served_model.run(service, checkpoint(old, 0), old)
    assert not task.done()
    await service.states.end(old.id, "cancelled", "enough")
    await task
    with pytest.raises(Retry, match="has ended"):  # the bus delivers it again and then finds the run cancelled
        await checkpoint_to_served_model.run(service, checkpoint(old, 1), old)


@pytest.mark.parametrize(
    ("folders", "file", "named"),
    [(True, "config.json", "folder"), (False, "config.json", "store:"), (False, "adapter_config.json", "folder")],
)
async def test_a_stored_checkpoint_is_named_as_the_server_can_find_it(
    service: SimpleNamespace, tmp_path: Path, folders: bool, file: str, named: str
) -> None:
    run = await begun(service, "one")
    service.model = RecordingModel(folders=folders, exclusive=False)
    (tmp_path / "made").mkdir()
    (tmp_path / "made" / file).write_text("{}")
    await service.artifacts.store.put_folder(tmp_path / "made", "one/weights/001")
    one = pb.Checkpoint(run=run.id, iteration=1, variant=pb.VARIANT_LOOP, path="store:one/weights/001")
    served = await checkpoint_to_served_model.run(service, one, run)
    wanted = one.path if named == "store:" else str(tmp_path / "store" / "one/weights/001")
    assert served.model == service.model.serves[-1] == wanted


async def test_weights_other_than_the_trained_ones_are_refused(service: SimpleNamespace) -> None:
    run = await begun(service, "one")
    one = checkpoint(run, 1)
    one.probe_log_prob = -1.04
    await checkpoint_to_served_model.run(service, one, run)
    one.probe_log_prob = -1.06
    with pytest.raises(Retry, match="does not serve the weights"):
        await checkpoint_to_served_model.run(service, one, run)
