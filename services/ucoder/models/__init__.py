"""Model clients: transformers on this machine, or any OpenAI-compatible server. Importing this loads no torch.

`protocol` is their common interface, `local/` and `openai_model` implement it, and `serving/` changes the checkpoint
that a server serves.
"""

import functools
import os
from typing import TYPE_CHECKING

from ucoder.errors import Misconfigured
from ucoder.models.protocol import Completion, Model, SamplingParameters, TextScore

if TYPE_CHECKING:  # a worker process imports this package too, and would load the bus for nothing
    from ucoder.runtime.context import ServiceContext
    from ucoder.runtime.settings import Settings
    from ucoder.runtime.storage.store import Store

__all__ = ["Completion", "Model", "SamplingParameters", "TextScore", "model_of", "open_model"]


def open_model(settings: "Settings", store: "Store | None" = None) -> Model:
    """Returns the model that `UCODER_MODEL_URL` names. Nothing is started or connected to before the first call.

    `local` or `local:WORKERS` runs transformers in that many processes of this machine (one per core by default).
    `vllm` is a server that ucoder starts on this machine. `http(s)://host/v1` is any OpenAI-compatible server; where
    `UCODER_ROLLOUT_STATEFULSET` is set, ucoder rolls it to each checkpoint. `store` holds the training results of
    stored checkpoints. Raises Misconfigured for any other URL.
    """
    url = settings.model_url
    scheme, _, count = url.partition(":")
    if scheme == "local" and (not count or (count.isdecimal() and int(count))):
        from ucoder.models.local.local_model import LocalModel

        return LocalModel(int(count) if count else os.cpu_count() or 1)
    if url != "vllm" and not url.startswith(("http://", "https://")):
        raise Misconfigured(f"UCODER_MODEL_URL={url!r}: expected local, local:WORKERS, vllm or http(s)://host/v1.")
    from ucoder.models.openai_model import OpenAIModel
    from ucoder.models.serving import ModelServer
    from ucoder.models.serving.fixed_server import FixedServer
    from ucoder.models.serving.server_process import ServerProcess
    from ucoder.models.serving.statefulset import StatefulSetServer
    from ucoder.models.switching_model import SwitchingModel
    from ucoder.models.weights_probe import trained_log_prob

    server: ModelServer
    if url == "vllm":
        server = ServerProcess(settings.model_command, settings.cache_dir.expanduser(), settings.model_seconds)
        client = OpenAIModel(server.url, api_key=settings.model_api_key)
    else:
        client = OpenAIModel(url, api_key=settings.model_api_key)
        server = StatefulSetServer(client, settings) if settings.rollout_statefulset else FixedServer(client)
    return SwitchingModel(client, server, functools.partial(trained_log_prob, store=store))


def model_of(context: "ServiceContext") -> Model:
    """Returns the model client that all services of a process share; the first call opens it."""

    def opened() -> Model:
        model = open_model(context.settings, context.artifacts.store)
        context.metrics.model_requests.set_function(lambda: getattr(model, "under_way", 0))
        return model

    shared: Model = context.shared("model", opened)
    return shared
