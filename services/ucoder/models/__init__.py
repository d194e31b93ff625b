"""Who answers for a model: transformers here, or any OpenAI-compatible server. Importing this loads no torch."""

import functools
import os

from ucoder.errors import Misconfigured
from ucoder.models.protocol import Completion, Model, SamplingParameters, TextScore
from ucoder.runtime.settings import Settings
from ucoder.runtime.storage.store import Store

__all__ = ["Completion", "Model", "SamplingParameters", "TextScore", "open_model"]


def open_model(settings: Settings, store: Store | None = None) -> Model:
    """The model that `UCODER_MODEL_URL` names; nothing is started or connected to before the first call.

    `local` or `local:WORKERS` is transformers in that many processes of this machine (one per core by default); `vllm`
    is a server that is started here; `http(s)://host/v1` is any OpenAI-compatible server, rolled to each checkpoint
    where `UCODER_ROLLOUT_STATEFULSET` names it. `store` is where trained checkpoints say what they are. Raises
    Misconfigured for anything else.
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

    host: ModelServer
    if url == "vllm":
        host = ServerProcess(settings.model_command, settings.cache_dir.expanduser(), settings.model_seconds)
        client = OpenAIModel(host.url, api_key=settings.model_api_key)
    else:
        client = OpenAIModel(url, api_key=settings.model_api_key)
        host = StatefulSetServer(client, settings) if settings.rollout_statefulset else FixedServer(client)
    return SwitchingModel(client, host, functools.partial(trained_log_prob, store=store))
