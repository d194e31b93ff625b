"""Checks what each disruption budget allows, at every number of pods: nodes can always be drained."""

import pytest

from .chart import VARIANTS, Object, of_kind, render


def allowed(budget: Object, pods: int) -> int:
    """Returns how many of the healthy pods may be evicted at once; Kubernetes rounds a percentage up."""
    most = budget["spec"]["maxUnavailable"]
    return min(pods, -(-pods * int(most[:-1]) // 100) if isinstance(most, str) else most)


@pytest.mark.parametrize("variant", VARIANTS)
def test_every_budget_lets_a_drain_continue(variant: str) -> None:
    budgets = of_kind(render(variant), "PodDisruptionBudget")
    workloads = of_kind(render(variant), "Deployment") | of_kind(render(variant), "StatefulSet")
    assert set(budgets) == set(workloads)
    for name, budget in budgets.items():
        assert "minAvailable" not in budget["spec"], name
        assert budget["spec"]["unhealthyPodEvictionPolicy"] == "AlwaysAllow", name
        pods = workloads[name]["spec"].get("replicas", 1)
        assert all(allowed(budget, number) >= 1 for number in {1, pods, 200} - {0}), name


def test_a_large_service_is_drained_faster_and_a_small_one_keeps_a_pod() -> None:
    budgets = of_kind(render("production"), "PodDisruptionBudget")
    assert [allowed(budgets["release-sandbox-runner"], pods) for pods in (1, 2, 8, 200)] == [1, 1, 2, 50]
    assert allowed(budgets["release-consensus"], 3) == 1
    assert [allowed(budgets["release-vllm"], pods) for pods in (1, 2, 8)] == [1, 1, 4]


def test_the_bus_keeps_its_majority() -> None:
    budget = of_kind(render("three servers"), "PodDisruptionBudget")["release-nats"]
    assert [allowed(budget, servers) for servers in (1, 3, 5)] == [1, 1, 1]
