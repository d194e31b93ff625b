"""Claims on a real store: of many briefs that invent the same problem at once, exactly one gets it."""

import asyncio
from collections.abc import Callable
from pathlib import Path

import pytest

from ucoder.core.decontamination import Decontamination
from ucoder.core.drop_reasons import DropReason
from ucoder.core.problem_parsing import Statement, read_statement
from ucoder.errors import Misconfigured
from ucoder.generator.known_tasks import known_tasks
from ucoder.generator.novelty import ClaimsInMemory, EarlierProblem, Novelty
from ucoder.runtime.settings import Settings
from ucoder.runtime.storage.store import Store

WORDS = (
    "the longest stretch of neighbouring days on which the shop sold at least as many loaves as on the day before, "
    "given the number of loaves of each day in order; an empty list has no stretch and a single day is a stretch of one"
)


def statement(words: str, name: str = "f") -> Statement:
    return read_statement(f'def {name}(xs: list[int]) -> int:\n    """Return {words}."""\n')


@pytest.mark.parametrize("kind", [Store, ClaimsInMemory])
async def test_of_similar_problems_claimed_at_once_exactly_one_is_new(
    kind: type, make_settings: Callable[..., Settings]
) -> None:
    claims = Store(make_settings()) if kind is Store else ClaimsInMemory()
    alike = [
        statement(WORDS.replace("shop", word), f"f{i}") for i, word in enumerate(("shop", "bakery", "stall", "store"))
    ]
    found = await asyncio.gather(
        *(Novelty(claims, "r", 0.7).claim(one, f"001-{i:06d}") for i, one in enumerate(alike * 3))
    )
    assert found.count(None) == 1
    assert {earlier.reason for earlier in found if earlier} == {"duplicate", "near_duplicate"}
    winner = found.index(None)
    again = Novelty(claims, "r", 0.7)
    assert await again.claim(alike[winner % 4], f"001-{winner:06d}") is None, "a redelivery claims the same again"
    assert await again.claim(statement("the product of the odd numbers"), "001-000099") is None
    assert await Novelty(claims, "other", 0.7).claim(alike[0], "001-000000") is None, "runs do not share claims"


async def test_at_one_only_equal_texts_are_the_same() -> None:
    novelty = Novelty(ClaimsInMemory(), "r", 1.0)
    assert await novelty.claim(statement(WORDS), "a") is None
    assert await novelty.claim(statement(WORDS.replace("shop", "stall")), "b") is None
    assert await novelty.claim(statement(WORDS, "g"), "c") == EarlierProblem(DropReason.DUPLICATE, "a")


@pytest.mark.parametrize(
    ("file", "tasks"),
    [
        ("HumanEval.jsonl.gz", 164),
        ("benchmarks/MbppPlus.jsonl.gz", 378),
        ("benchmarks/code_eval_mbpp.jsonl.gz", 20),
        ("benchmarks/code_eval_bigcodebench.jsonl.gz", 20),
        ("benchmarks/code_eval_live_code_bench_v1.jsonl.gz", 3),
    ],
)
def test_public_benchmarks_are_read_and_their_tasks_recognised(
    file: str, tasks: int, shared_data: Callable[[str], Path]
) -> None:
    path = str(shared_data(file))
    known = list(known_tasks([path]))
    index = Decontamination(known)
    assert index.sizes() == {Path(path).name.split(".")[0]: tasks}
    assert all(index.find(task.prompt) for task in known)


def test_a_file_without_tasks_is_named_by_line(tmp_path: Path) -> None:
    path = tmp_path / "b.jsonl"
    path.write_text('{"prompt": "x"}\n{"other": 1}\n')
    with pytest.raises(Misconfigured, match=r"b\.jsonl:2"):
        list(known_tasks([str(path)]))
