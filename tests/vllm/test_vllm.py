"""Every call against a real vLLM that ucoder starts with the shipped model, compared with the local model's numbers."""

import asyncio
import json
import re
import shutil
from collections.abc import AsyncIterator, Callable
from importlib import resources
from pathlib import Path

import httpx
import pytest
import pytest_asyncio
import torch
from safetensors.torch import load_file, save_file

from ucoder.errors import NotFound, Reject, Retry
from ucoder.models import Model, SamplingParameters, open_model
from ucoder.models.local.local_model import LocalModel
from ucoder.models.switching_model import SwitchingModel
from ucoder.models.weights_probe import PROBE_TEXT, TRAINING_RESULT_FILE
from ucoder.runtime.settings import Settings

pytestmark = [pytest.mark.asyncio(loop_scope="module"), pytest.mark.timeout(900)]
ROOT = Path(__file__).parents[2]
SEED = str(resources.files("ucoder.seed") / "model")
PROMPT = '# solution\ndef f(xs: list[int]) -> int:\n    """Add the numbers up.\n\n    >>> f([3, 1])\n    4\n    """\n'
WARM = SamplingParameters(temperature=0.8, top_p=0.95, max_tokens=60)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def vllm(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[SwitchingModel]:
    command = f"{ROOT}/deploy/vllm-cpu.sh {ROOT}/.venv-vllm {{model}} {{port}}"
    cache = tmp_path_factory.mktemp("vllm")
    model = open_model(Settings(model_url="vllm", model_command=command, model_seconds=600, cache_dir=cache))
    assert isinstance(model, SwitchingModel)
    await model.serve(SEED)
    yield model
    await model.close()


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def local() -> AsyncIterator[Model]:
    model = LocalModel(1)
    yield model
    await model.close()


async def metric(vllm: SwitchingModel, name: str) -> float:
    """Returns the sum of a metric over its labels."""
    async with httpx.AsyncClient(timeout=120) as client:
        text = (await client.get(vllm.url.removesuffix("/v1") + "/metrics")).text
    return sum(float(value) for value in re.findall(rf"^vllm:{name}(?:{{.*}})? (\S+)$", text, re.M))


def changed(folder: Path, name: str, change: Callable[[torch.Tensor], torch.Tensor]) -> str:
    """Makes a copy of the shipped model with one kind of its weights changed."""
    shutil.copytree(SEED, folder)
    weights = load_file(folder / "model.safetensors")
    found = {key: change(one).contiguous() if name in key else one for key, one in weights.items()}
    save_file(found, folder / "model.safetensors", metadata={"format": "pt"})
    return str(folder)


async def test_it_is_listed(vllm: SwitchingModel) -> None:
    assert await vllm.served() == [SEED]


@pytest.mark.parametrize("n", [64, 128, 200])
async def test_many_completions_are_sampled_and_repeat_with_their_seed(vllm: SwitchingModel, n: int) -> None:
    found = await vllm.complete(SEED, PROMPT, n=n, sampling=WARM, seed=3)
    again = await vllm.complete(SEED, PROMPT, n=n, sampling=WARM, seed=3)
    other = await vllm.complete(SEED, PROMPT, n=n, sampling=WARM, seed=4)
    assert len(found) == n
    assert sum(a.text == b.text for a, b in zip(found, again, strict=True)) >= n - 2  # a float's last bit may tip one
    assert sum(a.text == b.text for a, b in zip(found, other, strict=True)) < n * 0.9
    assert all(one.mean_log_prob < 0 for one in found)


async def test_greedy_texts_and_their_log_probabilities_are_the_local_models(
    vllm: SwitchingModel, local: Model
) -> None:
    greedy = SamplingParameters(temperature=0, top_p=1, max_tokens=60)
    for name in ("f", "g", "total", "count_words"):
        prompt = PROMPT.replace(" f(", f" {name}(")
        [there], [here] = [await one.complete(SEED, prompt, n=1, sampling=greedy) for one in (vllm, local)]
        assert (there.text, there.tokens, there.finish) == (here.text, here.tokens, here.finish)
        assert there.mean_log_prob == pytest.approx(here.mean_log_prob, abs=1e-4)


async def test_log_probabilities_are_those_before_the_temperature(vllm: SwitchingModel, local: Model) -> None:
    rows = await vllm.complete(
        SEED, PROMPT, n=16, sampling=SamplingParameters(temperature=1.5, top_p=0.9, max_tokens=40), seed=1
    )
    before = await local.score(SEED, PROMPT)
    for row in rows:
        whole = await local.score(SEED, PROMPT + row.text)
        if row.finish == "length" and whole.tokens - before.tokens == row.tokens:  # the same split into tokens
            given = whole.mean_log_prob * whole.tokens - before.mean_log_prob * before.tokens
            assert row.mean_log_prob == pytest.approx(given / row.tokens, abs=1e-3)


async def test_scores_are_the_local_models(vllm: SwitchingModel, local: Model) -> None:
    for text in (PROBE_TEXT, PROMPT, "xs(f def\nsolution #"):
        there, here = await vllm.score(SEED, text), await local.score(SEED, text)
        assert there.tokens == here.tokens
        assert there.mean_log_prob == pytest.approx(here.mean_log_prob, abs=1e-4)


async def test_stop_strings_and_limits_cut(vllm: SwitchingModel) -> None:
    for one in await vllm.complete(SEED, PROMPT, n=64, sampling=WARM, stop=("return",), seed=5):
        assert "return" not in one.text
    for one in await vllm.complete(SEED, PROMPT, n=8, sampling=SamplingParameters(0.8, 1.0, 3), seed=5):
        assert (one.tokens, one.finish) == (3, "length")


async def test_a_prompt_without_room_is_refused_in_the_servers_words(vllm: SwitchingModel) -> None:
    with pytest.raises(Reject, match="512"):
        await vllm.complete(SEED, "x = 1\n" * 400, n=1, sampling=WARM)


async def test_a_prompts_prefix_is_computed_once(vllm: SwitchingModel) -> None:
    prompt = PROMPT.replace("Add the numbers up", "Multiply the numbers, then add one")
    before = await metric(vllm, "prefix_cache_hits_total")
    for seed in (1, 2):
        await vllm.complete(SEED, prompt, n=128, sampling=WARM, seed=seed)
    assert await metric(vllm, "prefix_cache_hits_total") > before


async def test_a_cancelled_request_ends_in_the_server_too(vllm: SwitchingModel) -> None:
    endless = SamplingParameters(temperature=2, top_p=1, max_tokens=400)
    before = await metric(vllm, "generation_tokens_total")
    await vllm.complete(SEED, PROMPT, n=128, sampling=endless)
    begun = await metric(vllm, "generation_tokens_total")
    asked = 8 * (begun - before)  # the server has room for one of these at a time, so this takes it a good while
    task = asyncio.gather(*(vllm.complete(SEED, PROMPT, n=128, sampling=endless, seed=1000 * at) for at in range(8)))
    async with asyncio.timeout(300):
        while await metric(vllm, "generation_tokens_total") == begun:
            await asyncio.sleep(0.1)
    assert not task.done()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    async with asyncio.timeout(300):
        while await metric(vllm, "num_requests_running") + await metric(vllm, "num_requests_waiting"):
            await asyncio.sleep(0.1)
    assert await metric(vllm, "generation_tokens_total") - begun < asked / 2


async def test_adapters_are_loaded_while_it_runs(vllm: SwitchingModel, local: Model, tmp_path: Path) -> None:
    config = json.loads((Path(SEED) / "config.json").read_text())
    random = torch.Generator().manual_seed(1)
    layers = range(config["num_hidden_layers"])
    shape = load_file(Path(SEED) / "model.safetensors")["model.layers.0.mlp.down_proj.weight"].shape
    parts = [(torch.randn(4, shape[1], generator=random), torch.randn(shape[0], 4, generator=random)) for _ in layers]
    folder = tmp_path / "adapter"
    folder.mkdir()
    stem = "base_model.model.model.layers.{}.mlp.down_proj.lora_{}.weight"
    save_file(
        {stem.format(layer, x): part for layer in layers for x, part in zip("AB", parts[layer], strict=True)},
        folder / "adapter_model.safetensors",
    )
    told = {
        "peft_type": "LORA", "r": 4, "lora_alpha": 1, "target_modules": ["down_proj"], "bias": "none",
        "base_model_name_or_path": SEED, "task_type": "CAUSAL_LM",
    }  # fmt: skip
    (folder / "adapter_config.json").write_text(json.dumps(told))
    products = iter([b @ a / 4 for a, b in parts])
    merged = changed(tmp_path / "merged", "down_proj", lambda one: one + next(products))
    expected = (await local.score(merged, PROBE_TEXT)).mean_log_prob
    (folder / TRAINING_RESULT_FILE).write_text(json.dumps({"probe_log_prob": expected}))
    await vllm.serve(str(folder))
    assert await vllm.served() == [SEED, str(folder)]
    assert (await vllm.score(str(folder), PROBE_TEXT)).mean_log_prob == pytest.approx(expected, abs=1e-3)
    assert (await vllm.score(SEED, PROBE_TEXT)).mean_log_prob != pytest.approx(expected, abs=0.05)


async def test_other_weights_replace_the_served_ones_and_are_verified(
    vllm: SwitchingModel, local: Model, tmp_path: Path
) -> None:
    other = changed(tmp_path / "other", "down_proj", lambda one: one * 0.7)
    expected = (await local.score(other, PROBE_TEXT)).mean_log_prob
    assert expected != pytest.approx((await local.score(SEED, PROBE_TEXT)).mean_log_prob, abs=0.05)
    result = Path(other) / TRAINING_RESULT_FILE
    result.write_text(json.dumps({"probe_log_prob": expected}))
    with pytest.raises(NotFound, match=r"config\.json"):
        await vllm.serve(str(tmp_path / "nowhere"))
    rows = await vllm.complete(other, PROMPT, n=128, sampling=WARM, seed=1)  # a request is enough to have it switched
    assert len(rows) == 128
    assert await vllm.served() == [other]
    result.write_text(json.dumps({"probe_log_prob": expected - 0.2}))
    await vllm.serve(SEED)
    with pytest.raises(Retry, match="does not serve the weights"):
        await vllm.serve(other)
