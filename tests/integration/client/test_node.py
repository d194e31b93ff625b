"""A client in another language, made from the proto files alone: node with @grpc/grpc-js."""

import json
import shutil
import subprocess
from pathlib import Path

import pytest

PROTOS = Path(__file__).parents[3] / "protos"
PACKAGES = ["@grpc/grpc-js@1", "@grpc/proto-loader@0.8"]


@pytest.fixture(scope="module")
def node_modules(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the packages from npm's registry. The tests are skipped when the registry cannot be reached."""
    folder = tmp_path_factory.mktemp("node")
    if not (shutil.which("npm") and shutil.which("node")):
        pytest.skip("node and npm are not installed")
    (folder / "package.json").write_text("{}")
    install = ["npm", "install", "--no-audit", "--no-fund", "--ignore-scripts", "--fetch-retries=1", *PACKAGES]
    try:
        done = subprocess.run(install, cwd=folder, capture_output=True, text=True, timeout=120, check=False)
    except subprocess.TimeoutExpired:
        pytest.skip("npm's registry does not answer")
    if done.returncode:
        pytest.skip(f"npm's registry cannot be reached: {done.stderr.strip().splitlines()[-1:]}")
    return folder / "node_modules"


def test_a_node_client_calls_the_service(node_modules: Path, served: str) -> None:
    script = Path(__file__).with_name("select.mjs")
    done = subprocess.run(
        ["node", str(script), served, str(PROTOS), str(node_modules)],
        capture_output=True, text=True, timeout=90, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    answer = json.loads(done.stdout)
    assert answer["selected"] in (0, 1)
    assert [sorted(members) for members in answer["clusters"]] == [[0, 1], [2]]
    assert answer["finals"][-1] is True
    assert (answer["code"], answer["details"]) == (3, "programs: required, and missing.")
