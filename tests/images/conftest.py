"""The images, built from the Dockerfile without a registry.

`pytest tests/images` takes minutes and needs root, and debootstrap, buildah, podman, runc and runsc (Debian packages).
It is not part of the default run.
"""

import asyncio
import contextlib
import itertools
import json
import os
import shutil
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

ROOT = Path(__file__).parents[2]
sys.path.insert(0, str(ROOT))  # the attacks of tests/security run again, in the image

from tests.security.conftest import MARKER, AttackedCell  # noqa: E402

from ucoder.sandbox_runner.isolation import choice, pod  # noqa: E402
from ucoder.sandbox_runner.sandbox import Sandbox  # noqa: E402

TOOLS = ("debootstrap", "buildah", "podman", "runc", "runsc")
PODMAN = """
[containers]
cgroupns = "host"
default_ulimits = ["nproc=1024:1024", "nofile=1024:1024"]
[engine]
cgroup_manager = "cgroupfs"
runtime = "runc"
"""
RESTRICTED = (
    "--rm",
    "--pull=never",
    "--read-only",
    "--read-only-tmpfs=false",
    "--tmpfs=/tmp",
    "--cap-drop=all",
    "--security-opt=no-new-privileges",
)
GVISOR = ("--runtime=runsc", "--runtime-flag=network=none", "--runtime-flag=ignore-cgroups")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Skips everything here, with the reason, where a tool is missing."""
    missing = [tool for tool in TOOLS if not shutil.which(tool)] + (["root"] if os.getuid() else [])
    for item in items:
        if "tests/images" in str(item.path):
            item.add_marker(pytest.mark.timeout(1800))
            if missing:
                item.add_marker(pytest.mark.skip(reason=f"images need {', '.join(missing)}"))


class Images:
    """The built images, and the commands that use them."""

    def __init__(self, folder: Path) -> None:
        (folder / "containers.conf").write_text(PODMAN)
        self.environment = {**os.environ, "CONTAINERS_CONF": str(folder / "containers.conf")}

    def command(self, *arguments: str, environment: dict[str, str] | None = None) -> str:
        """Returns the output of a command; fails with what the command printed."""
        environment = environment or self.environment
        done = subprocess.run(arguments, capture_output=True, text=True, check=False, env=environment)
        assert done.returncode == 0, f"{arguments}\n{done.stdout[-4000:]}{done.stderr[-4000:]}"
        return done.stdout

    def build(self, *targets: str, **variables: str) -> None:
        """Builds targets from the sources as they are."""
        environment = {**self.environment, "BASE": "debootstrap", **variables}
        self.command(str(ROOT / "deploy" / "build-images.sh"), *targets, environment=environment)

    def inspected(self, name: str, tag: str = "0.1.0") -> dict[str, Any]:
        """Returns the image's own configuration and layers."""
        found = json.loads(self.command("buildah", "inspect", "--type=image", f"localhost/{name}:{tag}"))
        return found["OCIv1"]  # type: ignore[no-any-return]

    async def run(self, *arguments: str) -> tuple[int, str]:
        """Returns the exit status of a container that ends by itself, and what it printed."""
        process = await asyncio.create_subprocess_exec(
            "podman", "run", *RESTRICTED, *arguments,
            env=self.environment, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT,
        )  # fmt: skip
        said = (await process.communicate())[0].decode()
        assert process.returncode is not None
        return process.returncode, said


@pytest.fixture(scope="session")
def images(tmp_path_factory: pytest.TempPathFactory) -> Images:
    """The images, built now from the sources as they are; IMAGES=built takes those that were built before."""
    found = Images(tmp_path_factory.mktemp("podman"))
    if os.environ.get("IMAGES") != "built":
        found.build("service", "sandbox", "trainer")
    return found


@pytest.fixture(scope="session")
def sandbox_root(images: Images) -> Iterator[Path]:
    """The sandbox image's files, mounted."""
    container = images.command("buildah", "from", "--pull-never", "localhost/ucoder-sandbox:0.1.0").strip()
    yield Path(images.command("buildah", "mount", container).strip())
    images.command("buildah", "umount", container)
    images.command("buildah", "rm", container)


class CellContainer:
    """The sandbox image as a cell container under gVisor."""

    def __init__(self, images: Images, folder: Path) -> None:
        self._images, self._folder, self._number = images, folder, itertools.count()

    @contextlib.asynccontextmanager
    async def started(self) -> AsyncIterator[Path]:
        """Yields the folder that holds `cell-0`, which has its socket."""
        number = next(self._number)
        place = self._folder / str(number) / "cell-0"
        place.mkdir(parents=True)
        place.chmod(0o777)
        for parent in (place.parent, self._folder, *self._folder.parents[:2]):
            parent.chmod(0o755)
        name = f"ucoder-cell-{os.getpid()}-{number}"
        process = await asyncio.create_subprocess_exec(
            "podman", *GVISOR, "--runtime-flag=host-uds=create", "run", "--name", name, *RESTRICTED, "--network=none",
            "-v", f"{place}:/socket", "-e", f"CANARY={MARKER}", "localhost/ucoder-sandbox:0.1.0",
            env=self._images.environment,
        )  # fmt: skip
        try:
            yield place.parent
        finally:
            stop = await asyncio.create_subprocess_exec(
                "podman", "stop", "-t", "5", name, env=self._images.environment, stdout=asyncio.subprocess.DEVNULL
            )
            await stop.wait()
            await process.wait()


@pytest.fixture(scope="session")
def cell_container(images: Images, tmp_path_factory: pytest.TempPathFactory) -> CellContainer:
    """The cell container, not started yet."""
    return CellContainer(images, tmp_path_factory.mktemp("cells"))


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def cell(cell_container: CellContainer) -> AsyncIterator[AttackedCell]:
    """Yields the container as an attacked cell, reached as a sandbox-runner in its pod reaches it."""
    with pytest.MonkeyPatch.context() as here:
        async with cell_container.started() as places:
            here.setattr(pod, "CELLS_FOLDER", places)
            choice._missing.cache_clear()
            async with Sandbox.open(isolation="pod", cells=1) as sandbox:
                yield AttackedCell(sandbox)
    choice._missing.cache_clear()
