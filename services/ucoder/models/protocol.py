"""The interface of a model: what callers ask, what every implementation answers."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, Protocol, Self

from ucoder.v1 import config_pb2

Finish = Literal["stop", "length"]
"""`stop`: end-of-text token or stop string; `length`: cut at `max_tokens` or at the end of the context."""


@dataclass(frozen=True, slots=True)
class Completion:
    """One continuation of a prompt."""

    text: str
    """Text of the completion up to the first stop string, without the end-of-text token."""
    tokens: int
    """Number of sampled tokens, including the end-of-text token and the tokens of the stop string."""
    mean_log_prob: float
    """Mean natural log-probability of those `tokens` under the model itself, before temperature and top-p."""
    finish: Finish


@dataclass(frozen=True, slots=True)
class SamplingParameters:
    """The parameters that tokens are sampled with."""

    temperature: float
    """0 is greedy: always the most likely token, without randomness."""
    top_p: float
    """Sample from the fewest most likely tokens whose probabilities add up to this; 1 means all tokens."""
    max_tokens: int

    @classmethod
    def of(cls, sampling: config_pb2.Sampling, *, temperature: float | None = None) -> Self:
        """Reads the parameters from a run's configuration; `temperature` replaces the configured one."""
        chosen = sampling.temperature if temperature is None else temperature
        return cls(temperature=chosen, top_p=sampling.top_p, max_tokens=sampling.max_tokens)


@dataclass(frozen=True, slots=True)
class TextScore:
    """The likelihood of a given text under the model."""

    mean_log_prob: float
    """Mean natural log-probability of each token after the first, given the tokens before it."""
    tokens: int
    """Number of scored tokens: one less than the text has."""


class Completer(Protocol):
    """The part of a model that the stages of the loop use."""

    async def complete(
        self, model: str, prompt: str, *, n: int, sampling: SamplingParameters, stop: Sequence[str] = (), seed: int = 0
    ) -> list[Completion]:
        """Generates `n` completions; the random numbers of the i-th depend on (seed, i) alone.

        Cancelling the call stops the work. Raises Retry when the server fails for now, Reject when the request cannot
        succeed (for example a prompt longer than the context).
        """
        ...


class Model(Completer, Protocol):
    """A model client. `model` names a checkpoint: a Hugging Face folder, a stored one, or a server's own name."""

    reads_folders: bool
    """Whether checkpoints are read from folders of this machine; otherwise a stored one is named `store:PREFIX`."""
    exclusive: bool
    """Whether only one checkpoint is loaded at a time, so that serving another one replaces it."""

    async def score(self, model: str, text: str) -> TextScore:
        """Returns the log-probability of a text of at least two tokens."""
        ...

    async def serve(self, model: str) -> None:
        """Loads the checkpoint and checks that the weights are those its trainer measured (`weights_probe`).

        Raises NotFound or Misconfigured when that can never succeed, Retry when it may succeed later.
        """
        ...

    async def served(self) -> list[str]:
        """Returns the checkpoints that are loaded now."""
        ...

    async def close(self) -> None:
        """Stops everything that was started; requests under way end with Retry."""
        ...
