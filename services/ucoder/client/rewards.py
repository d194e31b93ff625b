"""Rewards for reinforcement learning: completions in, floats out, by agreement in execution or by passed tests.

TRL:   GRPOTrainer(reward_funcs=[trl_reward(Client("consensus:7070"))], ...)
verl:  a file with `compute_score = verl_batch_score(Client("consensus:7070"))`, and
       `reward_model.reward_manager=batch custom_reward_function.path=that_file.py`
Neither is imported here. The completions of one prompt are judged together; a completion is a string or a list of
messages whose last one counts.
"""

from collections.abc import Callable, Sequence
from typing import Any, Literal

from ucoder.client.blocking import Client
from ucoder.client.requests import Test
from ucoder.client.results import Answer
from ucoder.core.extraction import extract_program
from ucoder.runtime.errors import Reject

Kind = Literal["consensus", "passing"]


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
    """`compute_score` for verl's batch reward manager. `ground_truth` holds the tests (a list, or a text with one in
    each line; may be empty), `extra_info["prompt"]` the prompt; rows with equal ones are judged together."""

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


def _grouped(
    client: Client, prompts: list[str], completions: list[str], tests: list[Any], kind: Kind, options: dict[str, Any]
) -> list[float]:
    asked = [tuple(one.splitlines() if isinstance(one, str) else one if one is not None else ()) for one in tests]
    groups: dict[tuple[str, tuple[Test, ...]], list[int]] = {}
    for index, key in enumerate(zip(prompts, asked, strict=True)):
        groups.setdefault(key, []).append(index)
    rewards = [0.0] * len(prompts)
    for (prompt, own), indices in groups.items():
        some = group_rewards(client, prompt, [completions[index] for index in indices], own, kind, **options)
        for index, reward in zip(indices, some, strict=True):
            rewards[index] = reward
    return rewards


def _text(message: Any) -> str:
    """A string, or the last message of a conversation."""
    return message if isinstance(message, str) else str(message[-1]["content"]) if len(message) else ""


def _agreeing(answer: Answer, programs: int) -> list[float]:
    winners = set() if answer.verdict.abstained else set(answer.verdict.clusters[0].members)
    return [1.0 if index in winners else 0.0 for index in range(programs)]


def _passing(answer: Answer, programs: int) -> list[float]:
    rewards = [0.0] * programs
    for cluster in answer.verdict.clusters:
        for member in cluster.members:
            rewards[member] = cluster.passed / max(1, len(answer.tests))
    return rewards
