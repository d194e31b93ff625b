"""What a model is asked and what it answers; every implementation and every caller meets here."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, Protocol


@dataclass(frozen=True, slots=True)
class Completion:
    """One continuation of a prompt."""

    text: str
    """What was written, up to the first stop string; the end-of-text token is no part of it."""
    tokens: int
    """Tokens drawn: the end-of-text token counts, and so do those that make up the stop string."""
    mean_log_prob: float
    """Mean natural log-probability of those `tokens`, under the model itself: before temperature and top-p."""
    finish: Literal["stop", "length"]
    """`stop`: end of text or a stop string; `length`: cut at `max_tokens` or at the end of the context."""


@dataclass(frozen=True, slots=True)
class Draw:
    """How tokens are drawn."""

    temperature: float
    """0 is greedy: the likeliest token, no randomness."""
    top_p: float
    """Draw from the fewest tokens whose probabilities reach this sum; 1 is all of them."""
    max_tokens: int


@dataclass(frozen=True, slots=True)
class Scored:
    """A given text under the model."""

    mean_log_prob: float
    """Mean natural log-probability of each token after the first, given those before it."""
    tokens: int
    """Tokens that were scored: one less than the text has."""


class Model(Protocol):
    """Whoever answers for a model. `model` names a checkpoint: a Hugging Face folder, or what a server calls it."""

    folders: bool
    """Whether checkpoints are named by folders of this machine; else a stored one is named `store:PREFIX`."""
    exclusive: bool
    """Whether one checkpoint answers at a time, so that another one takes its place."""

    async def complete(
        self, model: str, prompt: str, *, n: int, draw: Draw, stop: Sequence[str] = (), seed: int = 0
    ) -> list[Completion]:
        """`n` completions, the i-th drawn with random numbers that depend on (seed, i) alone. Cancel to stop the work.

        Raises Retry when the server is unwell, Reject when the request is (a prompt longer than the context).
        """
        ...

    async def score(self, model: str, text: str) -> Scored:
        """The log-probability of a text of at least two tokens."""
        ...

    async def serve(self, model: str) -> None:
        """Makes sure that this checkpoint answers, with the weights that its trainer measured (`probe`).

        Raises NotFound or Misconfigured when it never can, Retry when it may later.
        """
        ...

    async def served(self) -> list[str]:
        """The checkpoints that answer now."""
        ...

    async def close(self) -> None:
        """Stops what was started; requests under way end with Retry."""
        ...
