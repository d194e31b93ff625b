"""The model that `ucoder generate` asks: `seed`, a model folder, or a server."""

import contextlib
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

from ucoder.errors import Misconfigured
from ucoder.models import open_model
from ucoder.models.prompts import Prompts
from ucoder.models.token_counts import TokenCounter
from ucoder.runs import run_config
from ucoder.runs.run_to_checkpoint import base_path
from ucoder.runtime.settings import load
from ucoder.v1 import config_pb2


@dataclass(frozen=True)
class ModelSource:
    """An open model, and how it is asked."""

    model: TokenCounter
    name: str
    profile: str
    config: config_pb2.RunConfig

    @classmethod
    @contextlib.asynccontextmanager
    async def open(
        cls, model: str, name: str | None, profile: str | None, config_file: Path | None
    ) -> AsyncIterator["ModelSource"]:
        """Yields the model that the flags name and closes it at the end. Misconfigured names the flag that is wrong."""
        profile = profile or ("seed" if model == "seed" else "base")
        Prompts.load(profile)
        config = run_config.load(config_file, preset="demo" if profile == "seed" else None)
        remote = model.startswith(("http://", "https://"))
        client = open_model(load(None, model_url=model) if remote else load())
        try:
            if remote:
                served = [name] if name else await client.served()
                if not served:
                    raise Misconfigured("--model: the server lists no model; give --name.")
                chosen = served[0]
            else:
                chosen = base_path(model)
                await client.serve(chosen)
            yield cls(TokenCounter(client), chosen, profile, config)
        finally:
            await client.close()
