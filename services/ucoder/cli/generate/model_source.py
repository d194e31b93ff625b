"""The model that is asked, and how: `seed`, a model folder, or a server."""

import contextlib
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

from ucoder.errors import Misconfigured
from ucoder.models import open_model
from ucoder.models.prompts import Prompts
from ucoder.models.token_counts import TokenCounter
from ucoder.runs import run_config as run_config
from ucoder.runs.run_to_checkpoint import base_path
from ucoder.runtime.settings import load
from ucoder.v1 import config_pb2


@dataclass(frozen=True, slots=True)
class Asked:
    """What the command line says of the model."""

    model: str
    name: str | None
    profile: str | None
    config: Path | None
    seed: int


@dataclass(frozen=True)
class Source:
    """An open model with its configuration."""

    model: TokenCounter
    name: str
    profile: str
    config: config_pb2.RunConfig
    seed: int

    @classmethod
    @contextlib.asynccontextmanager
    async def open(cls, asked: Asked) -> AsyncIterator["Source"]:
        """The source for as long as the block runs. Misconfigured names the flag that is wrong."""
        profile = asked.profile or ("seed" if asked.model == "seed" else "base")
        Prompts.load(profile)
        config = run_config.load(asked.config, preset="demo" if profile == "seed" else None)
        remote = asked.model.startswith(("http://", "https://"))
        model = open_model(load(None, model_url=asked.model) if remote else load())
        try:
            if remote:
                served = [asked.name] if asked.name else await model.served()
                if not served:
                    raise Misconfigured("--model: the server lists no model; give --name.")
                name = served[0]
            else:
                name = base_path(asked.model)
                await model.serve(name)
            yield cls(TokenCounter(model), name, profile, config, asked.seed)
        finally:
            await model.close()
