"""`ucoder plan` compared with sums made by hand."""

import dataclasses
import json

import pytest

from ucoder.cli.plan import ClusterRates, IterationWork, calculate_plan, print_plan
from ucoder.errors import Misconfigured

WORK = IterationWork(
    problems=1000, candidates=100, tests=100, problem_tokens=1000, test_tokens=1000, candidate_tokens=80,
    selected=0.5, epochs=2, evaluations=4500,
)  # fmt: skip
RATES = ClusterRates(
    programs_per_second=10, tokens_per_second=1000, train_tokens_per_second=100, cells_per_pod=2, hours=0.5,
    gpu_price=2, core_price=0.1,
)  # fmt: skip


def test_the_sums() -> None:
    made = calculate_plan(WORK, RATES)
    assert made["programs"] == 100_000
    assert made["executions"] == 10_000_000
    assert made["generated_tokens"] == 1000 * (2000 + 8000)
    assert made["core_hours"] == pytest.approx(10_000 / 3600)
    assert made["cells"] == 6  # 10,000 s of work in 1,800 s
    assert made["sandbox_pods"] == 3
    assert made["generation_gpu_hours"] == pytest.approx(10_000 / 3600)
    assert made["generation_gpus"] == 6
    assert made["training_gpu_hours"] == pytest.approx(500 * 330 * 2 / 100 / 3600)
    assert made["evaluation_gpu_hours"] == pytest.approx(0.1)
    gpu_hours = made["generation_gpu_hours"] + made["training_gpu_hours"] + made["evaluation_gpu_hours"]
    assert made["cost"] == pytest.approx(2 * gpu_hours + 0.1 * made["core_hours"])


def test_twice_the_problems_is_twice_the_hours() -> None:
    one, two = calculate_plan(WORK, RATES), calculate_plan(dataclasses.replace(WORK, problems=2000), RATES)
    for name in ("programs", "core_hours", "generation_gpu_hours", "training_gpu_hours"):
        assert two[name] == pytest.approx(2 * one[name])
    assert two["evaluation_gpu_hours"] == one["evaluation_gpu_hours"]


def test_without_prices_there_is_no_cost() -> None:
    assert calculate_plan(WORK, dataclasses.replace(RATES, gpu_price=0, core_price=0))["cost"] is None


@pytest.mark.parametrize("wrong", [{"hours": 0.0}, {"programs_per_second": -1.0}, {"tokens_per_second": float("nan")}])
def test_an_impossible_rate_is_refused_with_its_flag(wrong: dict[str, float]) -> None:
    with pytest.raises(Misconfigured, match="--" + next(iter(wrong)).replace("_", "-")):
        calculate_plan(WORK, dataclasses.replace(RATES, **wrong))


def test_it_says_which_rates_are_assumed(capsys: pytest.CaptureFixture[str]) -> None:
    print_plan(WORK, dataclasses.replace(ClusterRates(), tokens_per_second=4000), as_json=True)
    assert json.loads(capsys.readouterr().out)["assumed"] == ["train_tokens_per_second"]
    print_plan(WORK, RATES)
    assert "assumed" not in capsys.readouterr().out
    print_plan(IterationWork(), ClusterRates())
    assert "--tokens-per-second --train-tokens-per-second" in capsys.readouterr().out
