"""Somebody else's server: it serves what it serves."""

from ucoder.errors import NotFound
from ucoder.models.openai_model import OpenAIModel


class FixedServer:
    """Any OpenAI-compatible server: vLLM, SGLang, llama.cpp, a vendor's."""

    folders = False
    exclusive = False
    up = True

    def __init__(self, client: OpenAIModel) -> None:
        self.url = client.url
        self._client = client

    async def switch(self, model: str) -> None:
        """See `Host`."""
        names = await self._client.served()
        if model not in names:
            raise NotFound(
                f"{self.url} serves {', '.join(names) or 'nothing'}, not {model}. Serve it under that name and resume "
                "the run, or let ucoder switch: UCODER_MODEL_URL=vllm here, UCODER_ROLLOUT_STATEFULSET in a cluster."
            )

    async def close(self) -> None:
        """Nothing was started."""
