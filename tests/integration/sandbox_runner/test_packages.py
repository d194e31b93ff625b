"""Tests of third-party packages in cells: programs import them, arrays cross the boundary, nothing can be changed."""

import shutil
from collections.abc import AsyncIterator
from pathlib import Path

import numpy
import pytest
import pytest_asyncio

from ucoder.core.test_plans import Test
from ucoder.errors import Misconfigured
from ucoder.sandbox_runner.isolation.choice import probe
from ucoder.sandbox_runner.sandbox import Sandbox
from ucoder.sandbox_runner.sandbox_job import Limits, SandboxJob

pytestmark = pytest.mark.asyncio(loop_scope="module")
USABLE = [name for name, usable, _ in probe() if usable]
LIMITS = Limits(cpu_seconds=3, wall_seconds=15)


@pytest.fixture(scope="module")
def packages(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with numpy alone, copied from this environment, as `pip install --target` would have made it."""
    folder = tmp_path_factory.mktemp("packages")
    found = Path(numpy.__file__).parents[1]
    for path in [*found.glob("numpy"), *found.glob("numpy.libs"), *found.glob("numpy-*.dist-info")]:
        shutil.copytree(path, folder / path.name, ignore=shutil.ignore_patterns("tests", "__pycache__"))
    for path in (folder, *folder.parents[:2]):
        path.chmod(0o755)
    return folder


@pytest_asyncio.fixture(scope="module", loop_scope="module", params=USABLE)
async def sandbox(
    request: pytest.FixtureRequest, packages: Path, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[Sandbox]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_CACHE_HOME", str(tmp_path_factory.mktemp("cache")))
        async with Sandbox.open(isolation=request.param, cells=1, packages=packages) as opened:
            yield opened


PROGRAM = """
import numpy as np
def f(x): return np.arange(x)
def g(x): return [np.int64(x), np.float32(0.5), np.mean([1, 2]), np.bool_(True)]
def h(a): return a * 2
def left(x):
    np.sum = lambda a: 99
    return np.arange(3).sum() + np.sum([1])
"""
OUTCOMES = {
    "f(3)": "returned",
    "assert f(1) == 0": "passed",
    "assert f(3) == [0, 1, 2]": "exception",
    "assert g(3) == [3, 0.5, 1.5, True]": "passed",
    "import numpy as np\nassert np.allclose(f(3), [0, 1, 2]) and f(3).shape == (3,)": "passed",
    "assert np.array_equal(h(np.array([1, 2])), [2, 4]) and isinstance(f(2), np.ndarray)": "passed",
    "assert np.allclose(f(2), [5, 5])": "failed",
    "assert h(f(3)).tolist() == [0, 2, 4]": "passed",
    "assert left(1) == 102": "passed",
    "assert pd.DataFrame() is not None": "exception",
}


async def test_arrays_cross_the_boundary_by_value(sandbox: Sandbox) -> None:
    job = SandboxJob((PROGRAM,), tuple(map(Test, OUTCOMES)), "f", limits=LIMITS)
    [row] = [row async for row in sandbox.execute(job)]
    assert dict(zip(OUTCOMES, map(str, row.outcomes), strict=True)) == OUTCOMES
    assert row.outputs[0] == "array([0, 1, 2], 'int64', (3,))"


async def test_no_program_changes_a_package_for_the_next(sandbox: Sandbox) -> None:
    programs = (
        "import numpy as np\nnp.sum = np.arange = None\nnp.random.seed(1)\ndef f(): return 1",
        "import numpy, os\ndef f(): open(os.path.dirname(numpy.__file__) + '/left.py', 'w')",
        "import numpy as np\ndef f(): return int(np.sum(np.arange(4)))",
    )
    job = SandboxJob(programs, (Test("f()"),), "f", limits=LIMITS)
    found = sorted([row async for row in sandbox.execute(job)], key=lambda row: row.program)
    assert found[2].outputs == ("6",)
    if sandbox.isolation != "none":
        assert str(found[1].outputs[0]).startswith(("!OSError", "!PermissionError"))


async def test_folder_without_packages_is_refused_with_the_command_that_makes_one(tmp_path: Path) -> None:
    with pytest.raises(Misconfigured, match="pip install --target"):
        async with Sandbox.open(isolation=USABLE[0], cells=1, packages=tmp_path):
            pass
