"""Who answers for a model: any OpenAI-compatible server, or transformers here. Importing this loads no torch."""

import os

from ucoder.models.protocol import Completion, Draw, Model, Scored
from ucoder.runtime.errors import Misconfigured

__all__ = ["Completion", "Draw", "Model", "Scored", "open_model"]


def open_model(url: str, *, api_key: str = "") -> Model:
    """The model behind a URL; nothing is started or connected to before the first call.

    `local` or `local:WORKERS` is transformers in that many processes of this machine (one per core by default);
    `http(s)://host/v1` is any OpenAI-compatible completions server. Raises Misconfigured for anything else.
    """
    if url.startswith(("http://", "https://")):
        from ucoder.models.openai import OpenAIModel

        return OpenAIModel(url, api_key=api_key)
    scheme, _, count = url.partition(":")
    if scheme == "local" and (not count or (count.isdecimal() and int(count))):
        from ucoder.models.local import LocalModel

        return LocalModel(int(count) if count else os.cpu_count() or 1)
    raise Misconfigured(f"UCODER_MODEL_URL={url!r}: expected local, local:WORKERS or http(s)://host/v1.")
