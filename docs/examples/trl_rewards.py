"""A reward function for TRL's GRPOTrainer: completions that agree with the consensus when they run get 1.

Usage: python trl_rewards.py HOST:PORT. In a trainer: `GRPOTrainer(reward_funcs=[reward], ...)`.
"""

import sys

from ucoder.client import Client
from ucoder.client.rewards import trl_reward

PROMPT = 'def double(x: int) -> int:\n    """Return twice x."""\n'


def main(address: str) -> None:
    """Prints the rewards of one group of completions, as the trainer would get them."""
    with Client(address) as ucoder:
        reward = trl_reward(ucoder)
        completions = ["    return 2 * x\n", "    return x + x\n", "    return x * x\n", "    return x << 1\n"]
        print(reward(prompts=[PROMPT] * len(completions), completions=completions))


if __name__ == "__main__":
    main(sys.argv[1])
