"""`ucoder runs fetch`: copies a checkpoint of a run out of its store."""

from collections.abc import Callable
from pathlib import Path

import pytest

from ucoder.cli.runs import fetch_checkpoint
from ucoder.errors import Misconfigured, NotFound
from ucoder.runtime.settings import Settings
from ucoder.runtime.storage.artifacts import Artifacts
from ucoder.runtime.storage.store import Store
from ucoder.v1 import artifacts_pb2 as pb


@pytest.fixture
async def artifacts(
    make_settings: Callable[..., Settings], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Artifacts:
    """The store of a run with two iterations, whose base model is a name on a model hub."""
    settings = make_settings()
    monkeypatch.setenv("UCODER_STORE_URL", settings.store_url)
    artifacts = Artifacts(Store(settings))
    await artifacts.save("r", pb.Run(id="r", format=1))
    await artifacts.save("r", pb.Checkpoint(run="r", variant=pb.VARIANT_LOOP, path="org/base"))
    for index in (1, 2):
        made = tmp_path / "made"
        made.mkdir()
        (made / "config.json").write_text(str(index))
        prefix = f"r/weights/{index:03d}"
        await artifacts.store.put_folder(made, prefix)
        training = pb.TrainingSummary(examples=7 * index)
        await artifacts.save(
            "r",
            pb.Checkpoint(run="r", iteration=index, variant=pb.VARIANT_LOOP, path=f"store:{prefix}", training=training),
        )
    return artifacts


async def decide(artifacts: Artifacts, index: int, best: str) -> None:
    """Writes the decision of the promotion gate: which checkpoint is the best one."""
    checkpoint = await artifacts.get(pb.Checkpoint, "r", best)
    served = pb.ServedModel(checkpoint=checkpoint, model="m")
    await artifacts.save("r", pb.Iteration(run="r", index=index, decision=pb.DECISION_CONTINUE, served=served))


async def test_the_best_checkpoint_or_a_named_one(
    artifacts: Artifacts, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    await decide(artifacts, 1, "000")
    await decide(artifacts, 2, "001")
    best, named = tmp_path / "models" / "best", tmp_path / "models" / "second"
    await fetch_checkpoint("r", best, None)
    assert (best / "config.json").read_text() == "1"
    assert capsys.readouterr().out == f"{best}: iteration 1 of run r, trained on 7 examples\n"
    await fetch_checkpoint("r", named, "002")
    assert (named / "config.json").read_text() == "2"
    assert sorted(path.name for path in best.parent.iterdir()) == ["best", "second"]
    with pytest.raises(Misconfigured, match="exists already"):
        await fetch_checkpoint("r", best, "002")
    assert (best / "config.json").read_text() == "1"


async def test_an_absent_checkpoint_is_named(artifacts: Artifacts, tmp_path: Path) -> None:
    with pytest.raises(NotFound, match="run r has evaluated no checkpoint yet"):
        await fetch_checkpoint("r", tmp_path / "out", None)
    await decide(artifacts, 1, "000")
    with pytest.raises(NotFound, match="run r's base model, org/base"):
        await fetch_checkpoint("r", tmp_path / "out", None)
    with pytest.raises(NotFound, match="no checkpoint 003; it has 000, 001, 002"):
        await fetch_checkpoint("r", tmp_path / "out", "003")
    with pytest.raises(NotFound, match="no s/run/000"):
        await fetch_checkpoint("s", tmp_path / "out", None)
    assert not (tmp_path / "out").exists()
