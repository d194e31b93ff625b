"""Rows from results: here, outside, what a program returned meets what was expected."""

from ucoder.core.outcomes import Outcome
from ucoder.core.test_cases import BlockPlan, BrokenPlan, CallPlan, Plan, ScriptPlan
from ucoder.core.verdict import judge, same_output
from ucoder.sandbox_runner.batch import Program
from ucoder.sandbox_runner.cell import Result

_OUTCOMES = {
    "exception": Outcome.EXCEPTION,
    "timeout_cpu": Outcome.TIMEOUT_CPU,
    "timeout_wall": Outcome.TIMEOUT_WALL,
    "abandoned": Outcome.TIMEOUT_CPU,
    "out_of_memory": Outcome.OUT_OF_MEMORY,
    "output_limit": Outcome.OUTPUT_LIMIT,
    "process_limit": Outcome.PROCESS_LIMIT,
    "crashed": Outcome.CRASHED,
    "infra_error": Outcome.INFRA_ERROR,
}


def runnable(plans: list[Plan]) -> list[int]:
    """Numbers of the tests that a cell runs."""
    return [number for number, plan in enumerate(plans) if isinstance(plan, CallPlan | ScriptPlan)]


def frames(plans: list[Plan]) -> list[list[str]]:
    """The runnable tests as the cell reads them: no expected value among them."""
    sent = []
    for plan in plans:
        if isinstance(plan, CallPlan):
            sent.append(["call", plan.call])
        elif isinstance(plan, ScriptPlan):
            sent.append(["script", plan.stdin])
    return sent


class Judge:
    """Outcomes of one job's tests; remembers what it has judged, for most programs return the same few values."""

    def __init__(self, plans: list[Plan]) -> None:
        self._plans = plans
        self._known: dict[tuple[int, str], Outcome] = {}

    def outcomes(self, program: Program) -> tuple[list[Outcome], list[str | None], list[float]]:
        """Per test: outcome, output or None, seconds."""
        results = iter(program.results)
        outcomes: list[Outcome] = []
        outputs: list[str | None] = []
        seconds: list[float] = []
        for number, plan in enumerate(self._plans):
            if isinstance(plan, BlockPlan | BrokenPlan):
                outcome, output, spent = Outcome.UNSUPPORTED, None, 0.0
            else:
                result = next(results)
                assert result is not None
                outcome, spent = self._outcome(number, plan, result), result.seconds
                output = result.text if result.status in ("ok", "stdout", "exception") else None
            outcomes.append(outcome)
            outputs.append(output)
            seconds.append(spent)
        return outcomes, outputs, seconds

    def _outcome(self, number: int, plan: CallPlan | ScriptPlan, result: Result) -> Outcome:
        if result.status not in ("ok", "stdout"):
            return _OUTCOMES[result.status]
        if (number, result.text) not in self._known:
            if isinstance(plan, CallPlan):
                verdict = judge(plan, result.text)
            elif plan.expected is None:
                verdict = Outcome.RETURNED
            else:
                verdict = Outcome.PASSED if same_output(plan.expected, result.text) else Outcome.FAILED
            self._known[number, result.text] = verdict
        return self._known[number, result.text]
