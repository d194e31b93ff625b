"""Reward functions for reinforcement learning: a float for each completion, by agreement or by passed tests.

TRL:   GRPOTrainer(reward_funcs=[trl_reward(Client("consensus:7070"))], ...)
verl:  a file with `compute_score = verl_score(Client("consensus:7070"), group=8)`, and
       `reward.custom_reward_function.path=that_file.py reward.num_workers=1`. Up to verl 0.6, which has no reward loop:
       `verl_batch_score`, `custom_reward_function.path=that_file.py reward_model.reward_manager=batch`
This module imports neither library. Its functions have the signatures that TRL 1.16, verl 0.9.1 and verl 0.6.1 call.
The completions of one prompt are judged together. A completion is a string, or a list of messages of which the last one
counts.
"""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import Any, Literal

from ucoder.client.clients import Client
from ucoder.client.requests import Test
from ucoder.core.extraction import extract_program
from ucoder.errors import NoInputs

Kind = Literal["consensus", "passing"]
Question = tuple[str, tuple[Test, ...]]
"""A prompt and its tests. Completions of equal questions are judged together."""


def group_rewards(
    client: Client, prompt: str, completions: Sequence[str], tests: Sequence[Test], kind: Kind, **options: Any
) -> list[float]:
    """Returns the rewards of completions of one prompt.

    `consensus`: 1 for the winning cluster and 0 for the others, or 0 for all when the verdict abstains. `passing`: the
    share of the tests that the completion's cluster passes. All rewards are 0 when no inputs can be synthesised,
    because programs without a function have nothing to agree on. Any other error is raised.
    """
    programs = [extract_program(completion, prompt if "def " in prompt else "") for completion in completions]
    try:
        answer = client.select(programs, tests, prompt=prompt, **options)
    except NoInputs:
        return [0.0] * len(programs)
    return rewards_of(answer.verdict, len(programs), len(answer.tests), kind)


def trl_reward(
    client: Client, *, kind: Kind = "consensus", tests: str = "tests", **options: Any
) -> Callable[..., list[float]]:
    """Returns a reward function for TRL's GRPOTrainer and RLOOTrainer.

    `tests` names the dataset's column with the tests of each prompt, which need not exist. `options` are passed to
    `Client.select`.
    """

    def ucoder_reward(prompts: Sequence[Any], completions: Sequence[Any], **columns: Any) -> list[float]:
        own_tests = list(columns.get(tests) or [()] * len(prompts))
        return _rewards(client, list(map(_text, prompts)), list(map(_text, completions)), own_tests, kind, options)

    return ucoder_reward


def verl_batch_score(client: Client, *, kind: Kind = "consensus", **options: Any) -> Callable[..., list[float]]:
    """Returns `compute_score` for the batch reward manager of verl up to 0.6, which passes a whole batch at once.

    `ground_truth` holds the tests: a list, or a text with one test in each line. It may be empty.
    `extra_info["prompt"]` holds the prompt, because verl passes no other.
    """

    def compute_score(
        data_sources: Sequence[str],
        solution_strs: Sequence[str],
        ground_truths: Sequence[Any],
        extra_infos: Sequence[Any],
        **_: Any,
    ) -> list[float]:
        prompts = [_text((info or {}).get("prompt", "")) for info in extra_infos]
        return _rewards(client, prompts, list(solution_strs), list(ground_truths), kind, options)

    return compute_score


def verl_score(
    client: Client, *, group: int, patience: float = 60.0, kind: Kind = "consensus", **options: Any
) -> Callable[..., Awaitable[float]]:
    """Returns `compute_score` for verl's reward loop, which passes one completion at a time, in many concurrent calls.

    The completions of one prompt wait until there are `group` of them (verl's `actor_rollout_ref.rollout.n`), or until
    none has arrived for `patience` seconds. They must arrive in one process: `reward.num_workers=1`. `kind="passing"`
    compares no completions and does not wait. Tests and prompt are read as `verl_batch_score` reads them.
    """
    open_groups: dict[Question, _Group] = {}

    async def judge(question: Question) -> list[float]:
        prompt, tests = question
        waiting = open_groups[question]
        while kind == "consensus" and len(waiting.completions) < group and await waiting.wait_for_next(patience):
            pass
        del open_groups[question]
        return await asyncio.to_thread(group_rewards, client, prompt, waiting.completions, tests, kind, **options)

    async def compute_score(
        data_source: str, solution_str: str, ground_truth: Any, extra_info: Any = None, **_: Any
    ) -> float:
        question = _text((extra_info or {}).get("prompt", "")), _tests(ground_truth)
        if question not in open_groups:
            open_groups[question] = _Group()
            open_groups[question].rewards = asyncio.create_task(judge(question))
        joined = open_groups[question]
        index = joined.add(solution_str)
        return (await asyncio.shield(joined.rewards))[index]

    return compute_score


class _Group:
    """Completions of one prompt that wait for each other, and the task that computes their rewards."""

    rewards: asyncio.Task[list[float]]

    def __init__(self) -> None:
        self.completions: list[str] = []
        self._arrived = asyncio.Event()

    def add(self, completion: str) -> int:
        """Adds a completion and returns its index."""
        self.completions.append(completion)
        self._arrived.set()
        return len(self.completions) - 1

    async def wait_for_next(self, seconds: float) -> bool:
        """Waits for one more completion and returns whether it arrived in time."""
        self._arrived.clear()
        try:
            await asyncio.wait_for(self._arrived.wait(), seconds)
        except TimeoutError:
            return False
        return True


def _rewards(
    client: Client, prompts: list[str], completions: list[str], tests: list[Any], kind: Kind, options: dict[str, Any]
) -> list[float]:
    """Returns the rewards of a batch, in its order. Completions with equal prompt and tests are judged together."""
    groups: dict[Question, list[int]] = {}
    for index, question in enumerate(zip(prompts, map(_tests, tests), strict=True)):
        groups.setdefault(question, []).append(index)
    rewards = [0.0] * len(prompts)
    for (prompt, own_tests), indices in groups.items():
        texts = [completions[index] for index in indices]
        judged = group_rewards(client, prompt, texts, own_tests, kind, **options)
        for index, reward in zip(indices, judged, strict=True):
            rewards[index] = reward
    return rewards


def _tests(given: Any) -> tuple[Test, ...]:
    """Returns the tests in a list or array, in a text with one test in each line, or in None."""
    tests = given.splitlines() if isinstance(given, str) else () if given is None else given
    return tuple(test if isinstance(test, str) else tuple(test) for test in tests)


def _text(message: Any) -> str:
    """Returns a string as it is, and of a conversation the text of its last message.

    The content of a message may be a list of parts. It is missing when the message only calls a tool.
    """
    if isinstance(message, str):
        return message
    content = message[-1].get("content") if len(message) else None
    if isinstance(content, str) or not content:
        return content or ""
    return "\n".join(part.get("text") or "" for part in content)


def rewards_of(verdict: Any, programs: int, tests: int, kind: Kind) -> list[float]:
    """Returns the rewards that a verdict gives to so many programs, which ran on so many tests. See `group_rewards`."""
    rewards = [0.0] * programs
    won = {} if verdict.abstained or not verdict.clusters else dict.fromkeys(verdict.clusters[0].members, 1.0)
    passed = {member: one.passed / max(1, tests) for one in verdict.clusters for member in one.members}
    for member, reward in (passed if kind == "passing" else won).items():
        rewards[member] = reward
    return rewards
