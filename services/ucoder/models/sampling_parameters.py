"""From a run's configuration to what a model is asked."""

from ucoder.models.protocol import Draw
from ucoder.v1 import config_pb2


def draw(sampling: config_pb2.Sampling, *, temperature: float | None = None) -> Draw:
    """How tokens are drawn; `temperature` replaces the configured one."""
    chosen = sampling.temperature if temperature is None else temperature
    return Draw(temperature=chosen, top_p=sampling.top_p, max_tokens=sampling.max_tokens)
