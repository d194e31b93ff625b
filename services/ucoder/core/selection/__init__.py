"""Selection: the rules that choose one of N programs by their outcomes on M tests, each under its name."""

from ucoder.core.matrix import Matrix
from ucoder.core.selection import b4, baselines, codet, evidence, paper_rule
from ucoder.core.selection.strategy import AbstentionReason, Selection, SignatureOptions, Strategy, StrategyOptions

__all__ = [
    "DEFAULT", "STRATEGIES", "AbstentionReason", "Selection", "Strategy", "StrategyOptions", "can_forecast", "select",
]  # fmt: skip

STRATEGIES: dict[str, Strategy] = {
    "evidence": Strategy(evidence.evidence, evidence.EvidenceOptions),
    "ucoder": Strategy(paper_rule.ucoder, paper_rule.UCoderOptions),
    "codet": Strategy(codet.codet, codet.CodeTOptions),
    "b4": Strategy(b4.b4, b4.B4Options),
    "mbr_exec": Strategy(baselines.mbr_exec),
    "alphacode": Strategy(baselines.alphacode),
    "max_pass": Strategy(baselines.max_pass, baselines.MaxPassOptions),
    "cluster": Strategy(baselines.largest_cluster, SignatureOptions),
    "success_rate": Strategy(baselines.success_rate),
    "low_ppl": Strategy(baselines.low_ppl),
    "random": Strategy(baselines.random_choice, baselines.RandomOptions),
}

DEFAULT = "evidence"


def select(matrix: Matrix, strategy: str = DEFAULT, **options: float) -> Selection:
    """Selects by the strategy of that name. Raises ValueError, with the choices, on an unknown name or option."""
    if strategy not in STRATEGIES:
        raise ValueError(f"no strategy is called {strategy!r}; there are {', '.join(STRATEGIES)}")
    rule = STRATEGIES[strategy]
    return rule(matrix, rule.parse(options))


def can_forecast(strategy: str) -> bool:
    """Returns whether `convergence` can forecast the winner of a strategy before all programs have run."""
    rule = STRATEGIES.get(DEFAULT if strategy == "default" else strategy)
    return rule is not None and rule.options is evidence.EvidenceOptions
