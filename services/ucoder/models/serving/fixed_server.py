"""A server that others run: ucoder only checks which checkpoint it serves, and cannot change it."""

from ucoder.errors import NotFound
from ucoder.models.openai_model import OpenAIModel


class FixedServer:
    """Any OpenAI-compatible server: vLLM, SGLang, llama.cpp, or a provider's."""

    reads_folders = False
    exclusive = False
    up = True

    def __init__(self, client: OpenAIModel) -> None:
        self.url = client.url
        self._client = client

    async def switch(self, model: str) -> None:
        """Raises NotFound when the server does not list `model`."""
        names = await self._client.served()
        if model not in names:
            raise NotFound(
                f"{self.url} serves {', '.join(names) or 'nothing'}, not {model}. Serve it under that name and resume "
                "the run, or let ucoder switch: UCODER_MODEL_URL=vllm here, UCODER_ROLLOUT_STATEFULSET in a cluster."
            )

    async def close(self) -> None:
        """Does nothing, because nothing was started."""
