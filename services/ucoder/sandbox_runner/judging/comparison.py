"""Rows from results: here, outside, what a program returned meets what was expected."""

from ucoder.core.outcomes import Outcome
from ucoder.core.test_plans import BlockPlan, BrokenPlan, CallPlan, CompatPlan, Plan, ScriptPlan
from ucoder.core.verdict import judge, same_output
from ucoder.sandbox_runner.host.batch import Program
from ucoder.sandbox_runner.host.cell import CellResult

OUTCOMES = {
    "exception": Outcome.EXCEPTION,
    "timeout_cpu": Outcome.TIMEOUT_CPU,
    "timeout_wall": Outcome.TIMEOUT_WALL,
    "abandoned": Outcome.TIMEOUT_CPU,
    "out_of_memory": Outcome.OUT_OF_MEMORY,
    "output_limit": Outcome.OUTPUT_LIMIT,
    "process_limit": Outcome.PROCESS_LIMIT,
    "crashed": Outcome.CRASHED,
    "nondeterministic": Outcome.NONDETERMINISTIC,
    "passed": Outcome.PASSED,
    "failed": Outcome.FAILED,
    "refused": Outcome.UNSUPPORTED,
    "infra_error": Outcome.INFRA_ERROR,
}


def frame(plan: Plan) -> list[str] | None:
    """A test as the cell reads it, with no expected value in it; None where nothing runs or a judge decides."""
    if isinstance(plan, CallPlan):
        return ["call", plan.call]
    if isinstance(plan, ScriptPlan):
        return ["script", plan.stdin]
    return ["compat", plan.source] if isinstance(plan, CompatPlan) else None


class Comparison:
    """Outcomes of one job's tests; remembers what it has judged, for most programs return the same few values."""

    def __init__(self, plans: list[Plan], positions: dict[int, int]) -> None:
        self._plans, self._positions = plans, positions
        self._known: dict[tuple[int, str], Outcome] = {}

    def row(self, program: Program) -> tuple[tuple[Outcome, ...], tuple[str | None, ...], tuple[float, ...]]:
        """Per test: outcome, output or None, seconds."""
        outcomes: list[Outcome] = []
        outputs: list[str | None] = []
        seconds: list[float] = []
        for number, plan in enumerate(self._plans):
            result = program.results[self._positions[number]] if number in self._positions else None
            spent, output = result.seconds if result else 0.0, None
            if isinstance(plan, BlockPlan):
                outcome = program.verdicts[number]
            elif result is None or isinstance(plan, BrokenPlan):
                outcome = Outcome.UNSUPPORTED
            else:
                outcome = self._outcome(number, plan, result)
                output = result.text if result.status in ("ok", "stdout", "exception") else None
            outcomes.append(outcome)
            outputs.append(output)
            seconds.append(spent)
        return tuple(outcomes), tuple(outputs), tuple(seconds)

    def _outcome(self, number: int, plan: CallPlan | ScriptPlan | CompatPlan, result: CellResult) -> Outcome:
        if result.status not in ("ok", "stdout"):
            return OUTCOMES[result.status]
        if (number, result.text) not in self._known:
            if isinstance(plan, CallPlan):
                verdict = judge(plan, result.text)
            elif isinstance(plan, CompatPlan) or plan.expected is None:
                verdict = Outcome.RETURNED
            else:
                verdict = Outcome.PASSED if same_output(plan.expected, result.text) else Outcome.FAILED
            self._known[number, result.text] = verdict
        return self._known[number, result.text]
