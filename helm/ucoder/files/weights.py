"""Fetches the weights that this pod is to serve, and writes the configuration that makes vLLM serve them.

CHECKPOINT is `store:<prefix>`, a path or a Hugging Face name; if it is empty, BASE is served. Requests name the model
by the same text.
"""

import asyncio
import json
import os
from pathlib import Path

from ucoder.errors import UcoderError
from ucoder.runtime.settings import load
from ucoder.runtime.storage.store import Store
from ucoder.runtime.storage.weights_reference import WeightsReference


async def main() -> None:
    name = os.environ["CHECKPOINT"] or os.environ["BASE"]
    reference, model = WeightsReference.parse(name), name
    if reference.stored:
        try:
            model = str(await reference.local_folder(Store(load())))
        except UcoderError as error:
            raise SystemExit(str(error)) from None
        if not Path(model, "config.json").is_file():
            raise SystemExit(f"{name}: {model} holds no checkpoint.")
    config = {"model": model, "served-model-name": [name]}
    Path(os.environ["SERVE"]).write_text(json.dumps(config))  # JSON is YAML
    print(f"serving {name} from {model}")


asyncio.run(main())
