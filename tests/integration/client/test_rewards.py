"""Reward functions, called as the trainers call them.

TRL 1.16 `GRPOTrainer._calculate_rewards`, verl 0.9.1 `NaiveRewardManager.run_single`, verl 0.6.1
`BatchRewardManager.verify`.
"""

import asyncio
import inspect
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

from ucoder.client import Client
from ucoder.client.rewards import trl_reward, verl_batch_score, verl_score
from ucoder.errors import Retry

PROMPT = 'def add(a: int, b: int) -> int:\n    """The sum.\n\n    >>> add(1, 2)\n    3\n    """\n'
OTHER = PROMPT.replace("add", "plus")
RIGHT, ALSO_RIGHT, WRONG = "    return a + b\n", "    return b + a\n", "    return a - b\n"


@pytest.fixture(scope="module")
def client(served: str) -> Iterator[Client]:
    with Client(served) as client:
        yield client


def conversation(prompt: str) -> list[dict[str, str]]:
    return [{"role": "system", "content": "Write Python."}, {"role": "user", "content": prompt}]


class TestTRL:
    """The trainer passes all by name: prompts, completions, their ids, the dataset's columns, and its own objects."""

    OFFERED: dict[str, Any] = {"trainer_state": None, "log_extra": print, "log_metric": print}

    def test_completions_that_are_texts(self, client: Client) -> None:
        reward = trl_reward(client, inputs=12)
        completions = [RIGHT, ALSO_RIGHT, WRONG, f"```python\n{PROMPT}{RIGHT}```", "I cannot.", RIGHT]
        columns = {"completion_ids": [[1]] * 6, "level": ["a"] * 6, **self.OFFERED}
        assert reward(prompts=[PROMPT] * 6, completions=completions, **columns) == [1.0, 1.0, 0.0, 1.0, 0.0, 1.0]
        assert reward(prompts=["Say hello."] * 2, completions=["Hello.", "Hi."], **self.OFFERED) == [0.0, 0.0]

    def test_completions_that_are_conversations(self, client: Client) -> None:
        spoken: list[Any] = [[{"role": "assistant", "content": text}] for text in (RIGHT, ALSO_RIGHT, WRONG)]
        spoken.append([{"role": "assistant", "content": [{"type": "text", "text": RIGHT}]}])
        spoken.append([{"role": "assistant", "content": None, "tool_calls": []}])
        reward = trl_reward(client, inputs=12)
        assert reward(
            prompts=[conversation(PROMPT)] * 5, completions=spoken, completion_ids=[[1]] * 5, **self.OFFERED
        ) == [1.0, 1.0, 0.0, 1.0, 0.0]

    def test_a_column_of_tests(self, client: Client) -> None:
        reward = trl_reward(client, kind="passing", tests="asserts")
        asserts = [["assert add(1, 0) == 1", "assert add(1, 2) == 3"]] * 3
        assert reward(prompts=[PROMPT] * 3, completions=[RIGHT, ALSO_RIGHT, WRONG], asserts=asserts) == [1.0, 1.0, 0.5]

    def test_the_function_has_its_name_and_is_not_asynchronous(self, client: Client) -> None:
        reward = trl_reward(client)
        assert reward.__name__ == "ucoder_reward"
        assert not inspect.iscoroutinefunction(reward)


class TestVerl:
    """Each call passes one completion and is awaited, many at once. verl adds keys of its own to `extra_info`."""

    TRUTH = "assert add(2, 2) == 4\nassert add(1, 3) == 4"

    async def score(self, compute_score: Any, prompt: Any, completion: str, truth: Any) -> float:
        extra = {"prompt": prompt, "index": 7, "num_turns": None, "rollout_reward_scores": {}}
        found = await compute_score(data_source="ours", solution_str=completion, ground_truth=truth, extra_info=extra)
        assert isinstance(found, float)
        return found

    async def test_completions_of_a_prompt_wait_for_each_other(self, client: Client) -> None:
        compute_score = verl_score(client, group=3, inputs=12)
        assert inspect.iscoroutinefunction(compute_score)  # verl runs anything else in a thread
        asked = [(PROMPT, RIGHT), (OTHER, WRONG), (PROMPT, WRONG), (OTHER, RIGHT), (PROMPT, ALSO_RIGHT), (OTHER, RIGHT)]
        calls = [self.score(compute_score, conversation(prompt), completion, None) for prompt, completion in asked]
        assert await asyncio.gather(*calls) == [1.0, 0.0, 0.0, 1.0, 1.0, 1.0]

    async def test_the_completions_of_the_next_step_form_a_new_group(self, client: Client) -> None:
        compute_score = verl_score(client, group=2)
        for _ in range(2):
            calls = [self.score(compute_score, PROMPT, RIGHT, self.TRUTH) for _ in range(2)]
            assert await asyncio.gather(*calls) == [1.0, 1.0]

    async def test_after_the_patience_a_group_is_judged_as_it_is(self, client: Client) -> None:
        compute_score = verl_score(client, group=9, patience=0.2)
        calls = [
            self.score(compute_score, PROMPT, text, np.array(["assert add(1, 1) == 2"])) for text in (RIGHT, WRONG)
        ]
        assert await asyncio.gather(*calls) == [1.0, 0.0]

    async def test_passing_does_not_wait_for_a_group(self, client: Client) -> None:
        compute_score = verl_score(client, group=9, patience=600, kind="passing")
        assert await self.score(compute_score, PROMPT, WRONG, ["assert add(1, 0) == 1", "assert add(1, 2) == 3"]) == 0.5

    async def test_an_absent_service_is_an_error_of_every_call(self) -> None:
        with Client("127.0.0.1:9", attempts=1, seconds=5) as absent:
            compute_score = verl_score(absent, group=2)
            calls = [self.score(compute_score, PROMPT, RIGHT, None) for _ in range(2)]
            ended = await asyncio.gather(*calls, return_exceptions=True)
        assert [type(error) for error in ended] == [Retry, Retry]

    def test_a_batch_at_once(self, client: Client) -> None:
        compute_score = verl_batch_score(client, inputs=12)
        asked = [PROMPT, conversation(OTHER), PROMPT, OTHER, OTHER]
        scores = compute_score(
            data_sources=np.array(["ours"] * 5, dtype=object),
            solution_strs=[RIGHT, WRONG, ALSO_RIGHT, RIGHT, RIGHT],
            ground_truths=[self.TRUTH, None, self.TRUTH, None, []],
            extra_infos=np.array([{"prompt": prompt, "rollout_reward_scores": {}} for prompt in asked], dtype=object),
            reward_weight=1.0,
        )
        assert scores == [1.0, 0.0, 1.0, 1.0, 1.0]
