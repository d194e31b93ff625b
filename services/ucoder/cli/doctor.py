"""`ucoder doctor`: what this machine has, one line for each part: ok, or what to do."""

import asyncio
import os
import shutil
import sys
from collections.abc import Iterator
from importlib import resources
from importlib.util import find_spec
from pathlib import Path

from rich.console import Console

from ucoder.errors import UcoderError
from ucoder.models import open_model
from ucoder.runtime.messaging.nats_server import server_program
from ucoder.runtime.settings import load
from ucoder.runtime.storage.store import Store
from ucoder.sandbox_runner.isolation.choice import probe

SERVER_SECONDS = 5.0
"""How long a model server may take to answer."""
CheckResult = tuple[str, bool | None, str]
"""The name of a part; True where it works, False where it is missing, None where it is optional; an explanation."""


async def doctor() -> None:
    """Checks this machine: Python, sandbox, bus, store, model, GPU, cluster. Each line says ok or what to do.

    Ends with code 1 when `ucoder run` could not work here.

    Example: `ucoder doctor`
    """
    console = Console()
    results = [*_python(), *_sandbox(), *_bus(), *_store(), *_model(), await _server(), *_gpu(), *_cluster()]
    for name, ok, explanation in results:
        mark = {True: "[green]ok[/]", False: "[red]missing[/]", None: "[yellow]absent[/]"}[ok]
        console.print(f"{name:<12} {mark:<20} {explanation}", highlight=False, soft_wrap=True)
    if any(ok is False for _, ok, _ in results):
        raise SystemExit(1)


def _python() -> Iterator[CheckResult]:
    version = ".".join(map(str, sys.version_info[:3]))
    yield "python", sys.version_info >= (3, 11), f"{version}, {os.cpu_count()} cores"


def _sandbox() -> Iterator[CheckResult]:
    kinds = probe()
    usable = [name for name, ok, _ in kinds if ok]
    chosen = f"`auto` takes {usable[0]}" if usable else "no isolation works here; run deploy/install-sandbox.sh"
    yield "sandbox", bool(usable), chosen
    for name, ok, detail in kinds:
        yield f"  {name}", True if ok else None, detail.replace("\n", "\n" + " " * 14)


def _bus() -> Iterator[CheckResult]:
    try:
        yield "bus", True, f"nats-server at {server_program()}"
    except UcoderError as error:
        yield "bus", False, str(error)


def _store() -> Iterator[CheckResult]:
    try:
        settings = load()
        Store(settings)
        free = shutil.disk_usage(Path.cwd()).free >> 30
        yield "store", True, f"{settings.store_url}; {free} GB free here"
    except UcoderError as error:
        yield "store", False, str(error)


def _model() -> Iterator[CheckResult]:
    shipped = Path(str(resources.files("ucoder.seed"))) / "model" / "model.safetensors"
    if find_spec("torch") is None:
        yield "model", None, "no local model: pip install 'ucoder[local]', or set UCODER_MODEL_URL to a server"
    elif shipped.exists():
        yield "model", True, f"seed model, {shipped.stat().st_size >> 10} kB; torch is installed"
    else:
        yield "model", False, "the shipped model is not in this installation; run make seed-model"


async def _server() -> CheckResult:
    """Asks the model server at UCODER_MODEL_URL for its models."""
    try:
        settings = load()
        model = open_model(settings)
        if settings.model_url.startswith("local"):
            return "  server", None, "none: transformers answers here; UCODER_MODEL_URL names another"
        if settings.model_url == "vllm":
            return "  server", True, f"starts when it is needed: {settings.model_command}"
        try:
            async with asyncio.timeout(SERVER_SECONDS):
                names = await model.served()
        finally:
            await model.close()
        return "  server", bool(names), f"{settings.model_url} serves {', '.join(names) or 'no model'}"
    except UcoderError as error:
        return "  server", False, str(error)
    except TimeoutError:
        return "  server", False, f"{settings.model_url} does not answer; start it, or set UCODER_MODEL_URL to another"


def _gpu() -> Iterator[CheckResult]:
    nodes = sorted(path.name for path in Path("/dev").glob("nvidia[0-9]*"))
    yield "gpu", True if nodes else None, ", ".join(nodes) or "none: the seed model needs none, real models do"


def _cluster() -> Iterator[CheckResult]:
    inside = "KUBERNETES_SERVICE_HOST" in os.environ
    outside = Path(os.environ.get("KUBECONFIG", "~/.kube/config")).expanduser().exists()
    place = "inside a pod" if inside else "a kubeconfig is here" if outside else "none: only `helm install` needs one"
    yield "cluster", True if inside or outside else None, place
