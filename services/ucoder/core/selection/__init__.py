"""Which of these programs is right: every rule, by name."""

from ucoder.core.matrix import Matrix
from ucoder.core.selection import (
    alphacode,
    b4,
    codet,
    evidence,
    largest_cluster,
    low_ppl,
    max_pass,
    mbr_exec,
    random_choice,
    success_rate,
    ucoder,
)
from ucoder.core.selection.strategy import Selection, Strategy, StrategyOptions

__all__ = ["DEFAULT", "STRATEGIES", "Selection", "Strategy", "StrategyOptions", "select"]

STRATEGIES: dict[str, Strategy] = {
    "evidence": Strategy(evidence.vote, evidence.EvidenceOptions),
    "ucoder": Strategy(ucoder.vote, ucoder.UCoderOptions),
    "codet": Strategy(codet.vote, codet.CodeTOptions),
    "b4": Strategy(b4.vote, b4.B4Options),
    "mbr_exec": Strategy(mbr_exec.vote),
    "alphacode": Strategy(alphacode.vote),
    "max_pass": Strategy(max_pass.vote, max_pass.MaxPassOptions),
    "cluster": Strategy(largest_cluster.vote, largest_cluster.ClusterOptions),
    "success_rate": Strategy(success_rate.vote),
    "low_ppl": Strategy(low_ppl.vote),
    "random": Strategy(random_choice.vote, random_choice.RandomOptions),
}

DEFAULT = "evidence"


def select(matrix: Matrix, strategy: str = DEFAULT, **options: float) -> Selection:
    """Selects by the strategy of that name. ValueError on a name or an option that does not exist, with the choices."""
    if strategy not in STRATEGIES:
        raise ValueError(f"no strategy is called {strategy!r}; there are {', '.join(STRATEGIES)}")
    rule = STRATEGIES[strategy]
    return rule(matrix, rule.parse(options))
