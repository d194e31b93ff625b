"""Fetches the weights that this pod is to serve, and writes the configuration that makes vLLM serve them.

CHECKPOINT is `store:<prefix>`, a path or a Hugging Face name; if it is empty, BASE is served. Requests name the model
by the same text. The volume keeps the checkpoints that were served last, and always the best one of the run.
"""

import asyncio
import json
import os
import shutil
from pathlib import Path

from ucoder.errors import UcoderError
from ucoder.runtime.settings import load
from ucoder.runtime.storage.artifacts import Artifacts
from ucoder.runtime.storage.store import Store
from ucoder.runtime.storage.weights_reference import WeightsReference
from ucoder.v1 import artifacts_pb2 as pb


async def best_checkpoint(store: Store, run: str) -> set[str]:
    """Returns the prefix of the run's best checkpoint so far; empty while there is none, or where it is the base."""
    artifacts = Artifacts(store)
    try:
        names = await artifacts.names(run, "iteration")
        newest = await artifacts.get(pb.Iteration, run, names[-1]) if names else pb.Iteration()
    except UcoderError as error:  # which copies stay is no reason to serve nothing
        print(f"the best checkpoint of {run} is unknown: {error}")
        return set()
    best = WeightsReference.parse(newest.served.checkpoint.path)
    return {best.place} if best.stored else set()


async def main() -> None:
    name = os.environ["CHECKPOINT"] or os.environ["BASE"]
    reference, model = WeightsReference.parse(name), name
    if reference.stored:
        settings = load()
        # Downloads that a killed pod left unfinished. The volume belongs to this pod, so nobody else is downloading.
        shutil.rmtree(settings.cache_dir.expanduser() / "folders" / ".aside", ignore_errors=True)
        store = Store(settings)
        try:
            keep = await best_checkpoint(store, reference.place.split("/")[0])
            model = str(await store.local_folder(reference.place, keep))
        except UcoderError as error:
            raise SystemExit(str(error)) from None
        if not Path(model, "config.json").is_file():
            raise SystemExit(f"{name}: {model} holds no checkpoint.")
    config = {"model": model, "served-model-name": [name]}
    Path(os.environ["SERVE"]).write_text(json.dumps(config))  # JSON is YAML
    print(f"serving {name} from {model}")


asyncio.run(main())
