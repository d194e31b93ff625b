"""Rewards for reinforcement learning: completions in, floats out, by agreement in execution or by passed tests.

TRL:   GRPOTrainer(reward_funcs=[trl_reward(Client("consensus:7070"))], ...)
verl:  a file with `compute_score = verl_score(Client("consensus:7070"), group=8)`, and
       `reward.custom_reward_function.path=that_file.py reward.num_workers=1`; before its reward loop, up to 0.6,
       `verl_batch_score`, `custom_reward_function.path=that_file.py reward_model.reward_manager=batch`
Neither is imported here; the calls are those of TRL 1.16, verl 0.9.1 and verl 0.6.1. The completions of one prompt are
judged together; a completion is a string or a list of messages whose last one counts.
"""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import Any, Literal

from ucoder.client.blocking_client import Client
from ucoder.client.requests import Test
from ucoder.client.results import Answer
from ucoder.core.extraction import extract_program
from ucoder.errors import Reject

Kind = Literal["consensus", "passing"]
Asked = tuple[str, tuple[Test, ...]]
"""A prompt and its tests: completions with equal ones are judged together."""


def group_rewards(
    client: Client, prompt: str, completions: Sequence[str], tests: Sequence[Test], kind: Kind, **options: Any
) -> list[float]:
    """The rewards of completions of one prompt.

    `consensus`: 1 in the winning cluster, 0 elsewhere, and 0 for all where the verdict abstains. `passing`: the share
    of the tests that the completion's cluster passes. What no inputs can be made for earns 0 (without a function
    there is nothing to agree on); any other refusal is raised.
    """
    programs = [extract_program(completion, prompt if "def " in prompt else "") for completion in completions]
    try:
        answer = client.select(programs, tests, prompt=prompt, **options)
    except Reject as error:
        if tests or not str(error).startswith("tests: none given"):
            raise
        return [0.0] * len(programs)
    return _passing(answer, len(programs)) if kind == "passing" else _agreeing(answer, len(programs))


def trl_reward(
    client: Client, *, kind: Kind = "consensus", tests: str = "tests", **options: Any
) -> Callable[..., list[float]]:
    """A reward function for TRL's GRPOTrainer and RLOOTrainer. `tests` names the dataset's column with each prompt's
    tests, if it has one; `options` go to `Client.select`."""

    def ucoder_reward(prompts: Sequence[Any], completions: Sequence[Any], **columns: Any) -> list[float]:
        asked = list(columns.get(tests) or [()] * len(prompts))
        return _grouped(client, list(map(_text, prompts)), list(map(_text, completions)), asked, kind, options)

    return ucoder_reward


def verl_batch_score(client: Client, *, kind: Kind = "consensus", **options: Any) -> Callable[..., list[float]]:
    """`compute_score` for verl's batch reward manager, which asks for a whole batch at once; up to verl 0.6.

    `ground_truth` holds the tests (a list, or a text with one in each line; may be empty), `extra_info["prompt"]` the
    prompt, for verl hands over no other.
    """

    def compute_score(
        data_sources: Sequence[str],
        solution_strs: Sequence[str],
        ground_truths: Sequence[Any],
        extra_infos: Sequence[Any],
        **_: Any,
    ) -> list[float]:
        prompts = [_text((info or {}).get("prompt", "")) for info in extra_infos]
        return _grouped(client, prompts, list(solution_strs), list(ground_truths), kind, options)

    return compute_score


def verl_score(
    client: Client, *, group: int, patience: float = 60.0, kind: Kind = "consensus", **options: Any
) -> Callable[..., Awaitable[float]]:
    """`compute_score` for verl's reward loop, which asks for one completion at a time, many side by side.

    The completions of one prompt wait until there are `group` of them (verl's `actor_rollout_ref.rollout.n`), or until
    none has come for `patience` seconds. They meet only in one process: `reward.num_workers=1`. `kind="passing"` needs
    no others and waits for none. Tests and prompt are where `verl_batch_score` finds them.
    """
    open_groups: dict[Asked, _Group] = {}

    async def judged(asked: Asked) -> list[float]:
        mine = open_groups[asked]
        while kind == "consensus" and len(mine.completions) < group and await mine.another(patience):
            pass
        del open_groups[asked]
        return await asyncio.to_thread(group_rewards, client, asked[0], mine.completions, asked[1], kind, **options)

    async def compute_score(
        data_source: str, solution_str: str, ground_truth: Any, extra_info: Any = None, **_: Any
    ) -> float:
        asked = _text((extra_info or {}).get("prompt", "")), _tests(ground_truth)
        if asked not in open_groups:
            open_groups[asked] = _Group()
            open_groups[asked].rewards = asyncio.create_task(judged(asked))
        mine = open_groups[asked]
        place = mine.join(solution_str)
        return (await asyncio.shield(mine.rewards))[place]

    return compute_score


class _Group:
    """Completions of one prompt that wait for each other, and the rewards that come of it."""

    rewards: asyncio.Task[list[float]]

    def __init__(self) -> None:
        self.completions: list[str] = []
        self._arrived = asyncio.Event()

    def join(self, completion: str) -> int:
        """Its place among them."""
        self.completions.append(completion)
        self._arrived.set()
        return len(self.completions) - 1

    async def another(self, seconds: float) -> bool:
        """Whether one more has come within so long."""
        self._arrived.clear()
        try:
            await asyncio.wait_for(self._arrived.wait(), seconds)
        except TimeoutError:
            return False
        return True


def _grouped(
    client: Client, prompts: list[str], completions: list[str], tests: list[Any], kind: Kind, options: dict[str, Any]
) -> list[float]:
    groups: dict[Asked, list[int]] = {}
    for index, asked in enumerate(zip(prompts, map(_tests, tests), strict=True)):
        groups.setdefault(asked, []).append(index)
    rewards = [0.0] * len(prompts)
    for (prompt, own), indices in groups.items():
        some = group_rewards(client, prompt, [completions[index] for index in indices], own, kind, **options)
        for index, reward in zip(indices, some, strict=True):
            rewards[index] = reward
    return rewards


def _tests(given: Any) -> tuple[Test, ...]:
    """Of a list (Parquet makes an array of it), of a text with a test in each line, or of nothing."""
    some = given.splitlines() if isinstance(given, str) else () if given is None else given
    return tuple(one if isinstance(one, str) else tuple(one) for one in some)


def _text(said: Any) -> str:
    """A string; or of a conversation the last message, which may be a list of parts, or say nothing but call a tool."""
    if isinstance(said, str):
        return said
    content = said[-1].get("content") if len(said) else None
    if isinstance(content, str) or not content:
        return content or ""
    return "\n".join(part.get("text") or "" for part in content)


def _agreeing(answer: Answer, programs: int) -> list[float]:
    winners = set() if answer.verdict.abstained else set(answer.verdict.clusters[0].members)
    return [1.0 if index in winners else 0.0 for index in range(programs)]


def _passing(answer: Answer, programs: int) -> list[float]:
    rewards = [0.0] * programs
    for cluster in answer.verdict.clusters:
        for member in cluster.members:
            rewards[member] = cluster.passed / max(1, len(answer.tests))
    return rewards
