"""The local model's worker processes: they share the work, are replaced when they die, and end with their parent."""

import asyncio
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import AsyncIterator
from importlib import resources
from pathlib import Path

import pytest
import pytest_asyncio

from ucoder.errors import Misconfigured, NotFound, Reject, Retry
from ucoder.models import SamplingParameters
from ucoder.models.local.local_model import LocalModel

pytestmark = pytest.mark.asyncio(loop_scope="module")
SEED = str(resources.files("ucoder.seed") / "model")
PROMPT = '# solution\ndef f(xs: list[int]) -> int:\n    """Add the numbers up.\n\n    >>> f([3, 1])\n    4\n    """\n'
WARM = SamplingParameters(temperature=0.8, top_p=1, max_tokens=40)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def model() -> AsyncIterator[LocalModel]:
    model = LocalModel(2)
    await model.serve(SEED)
    yield model
    await model.close()


def workers_of(parent: int) -> set[int]:
    """Returns the worker processes that `parent` started."""
    listing = subprocess.run(
        ["ps", "-o", "pid=,args=", "--ppid", str(parent)], capture_output=True, text=True, check=False
    )
    return {int(line.split()[0]) for line in listing.stdout.splitlines() if "ucoder.models.local.model_worker" in line}


async def test_a_request_is_shared_by_workers_and_answered_in_order(model: LocalModel) -> None:
    whole = await model.complete(SEED, PROMPT, n=70, sampling=WARM, seed=3)
    again = await model.complete(SEED, PROMPT, n=70, sampling=WARM, seed=3)
    other = await model.complete(SEED, PROMPT, n=70, sampling=WARM, seed=4)
    assert len(whole) == 70
    assert sum(a.text == b.text for a, b in zip(whole, again, strict=True)) >= 69
    assert sum(a.text == b.text for a, b in zip(whole, other, strict=True)) < 60
    assert await model.served() == [SEED]


async def test_likely_text_scores_higher_than_unlikely_text(model: LocalModel) -> None:
    likely, unlikely = [await model.score(SEED, text) for text in ("# solution\ndef f(xs", "xs(f def\nsolution #")]
    assert unlikely.mean_log_prob < likely.mean_log_prob < 0
    assert likely.tokens > 2


async def test_a_cancelled_request_is_not_computed_any_further(model: LocalModel) -> None:
    endless = SamplingParameters(temperature=5, top_p=1, max_tokens=400)
    task = asyncio.create_task(model.complete(SEED, PROMPT, n=2000, sampling=endless))
    await asyncio.sleep(0.5)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    started = time.perf_counter()
    await model.complete(SEED, PROMPT, n=1, sampling=SamplingParameters(0, 1, 3))
    assert time.perf_counter() - started < 5  # 2,000 rows of 400 tokens would take minutes


async def test_wrong_models_and_prompts_are_named(model: LocalModel, tmp_path: Path) -> None:
    with pytest.raises(NotFound, match=r"config\.json"):
        await model.serve(str(tmp_path))
    with pytest.raises(NotFound, match="nowhere"):
        await model.complete("/nowhere", PROMPT, n=1, sampling=WARM)
    with pytest.raises(Reject, match="512"):
        await model.complete(SEED, "x = 1\n" * 400, n=1, sampling=WARM)
    broken = shutil.copytree(SEED, tmp_path / "broken")
    weights = broken / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:1000])
    with pytest.raises(Misconfigured, match="broken"):
        await model.serve(str(broken))
    assert await model.complete(SEED, PROMPT, n=1, sampling=WARM)


async def test_a_killed_worker_means_retry_and_a_new_worker(model: LocalModel) -> None:
    before = workers_of(os.getpid())
    endless = SamplingParameters(temperature=5, top_p=1, max_tokens=400)
    task = asyncio.create_task(model.complete(SEED, PROMPT, n=300, sampling=endless))
    await asyncio.sleep(0.5)
    for pid in before:
        os.kill(pid, signal.SIGKILL)
    with pytest.raises(Retry, match="SIGKILL"):
        await task
    while before & workers_of(os.getpid()):  # until both deaths are noticed
        await asyncio.sleep(0.05)
    await asyncio.sleep(0.1)
    assert len(await model.complete(SEED, PROMPT, n=2, sampling=WARM)) == 2
    after = workers_of(os.getpid())
    assert len(after) == 2
    assert not before & after


async def test_workers_end_with_a_parent_that_was_killed() -> None:
    code = f"""
import asyncio
from ucoder.models.local.local_model import LocalModel
async def main():
    await LocalModel(1).serve({SEED!r})
    print("up", flush=True)
    await asyncio.sleep(60)
asyncio.run(main())
"""
    parent = await asyncio.create_subprocess_exec(sys.executable, "-c", code, stdout=asyncio.subprocess.PIPE)
    assert parent.stdout is not None
    assert await parent.stdout.readline() == b"up\n"
    [worker] = workers_of(parent.pid)
    parent.kill()
    await parent.wait()
    for _ in range(100):
        if not Path(f"/proc/{worker}").exists():
            return
        await asyncio.sleep(0.05)
    os.kill(worker, signal.SIGKILL)
    pytest.fail("the worker outlived its parent by five seconds")


async def test_a_closed_model_raises_retry() -> None:
    model = LocalModel(1)
    await model.close()
    with pytest.raises(Retry, match="closed"):
        await model.complete(SEED, PROMPT, n=1, sampling=WARM)
