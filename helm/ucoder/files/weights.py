"""Puts the weights that this pod is to serve where vLLM finds them, and writes vLLM's configuration.

CHECKPOINT is `store:<prefix>`, a path or a Hugging Face name; empty: BASE. Callers ask for it by the same text.
"""

import asyncio
import json
import os
from pathlib import Path

from ucoder.errors import UcoderError
from ucoder.runtime.settings import load
from ucoder.runtime.storage.store import Store


async def main() -> None:
    name = os.environ["CHECKPOINT"] or os.environ["BASE"]
    folder = name
    if name.startswith("store:"):
        try:
            folder = str(await Store(load()).folder(name.removeprefix("store:")))
        except UcoderError as error:
            raise SystemExit(str(error)) from None
        if not Path(folder, "config.json").is_file():
            raise SystemExit(f"{name}: {folder} holds no checkpoint.")
    config = {"model": folder, "served-model-name": [name]}
    Path(os.environ["SERVE"]).write_text(json.dumps(config))  # JSON is YAML
    print(f"serving {name} from {folder}")


asyncio.run(main())
