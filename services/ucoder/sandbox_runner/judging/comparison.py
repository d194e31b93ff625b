"""The comparison of results with expected values, outside the cell: results of a program become outcomes."""

from ucoder.core.outcomes import Outcome
from ucoder.core.test_plans import BlockPlan, BrokenPlan, CallPlan, CompatPlan, Plan, ScriptPlan
from ucoder.core.value_comparison import judge, same_output
from ucoder.sandbox_runner.guest.cell_protocol import CALL, COMPAT, EXCEPTION, OK, SCRIPT, STDOUT, CellTest
from ucoder.sandbox_runner.host.batch import Program
from ucoder.sandbox_runner.host.cell import CellResult
from ucoder.sandbox_runner.outcome_table import OUTCOME_OF
from ucoder.sandbox_runner.sandbox_job import ProgramResult


def cell_test(plan: Plan) -> CellTest | None:
    """Returns a test as a cell reads it, without any expected value; None where nothing runs or a judge decides."""
    if isinstance(plan, CallPlan):
        return CellTest(CALL, plan.call)
    if isinstance(plan, ScriptPlan):
        return CellTest(SCRIPT, plan.stdin)
    return CellTest(COMPAT, plan.source) if isinstance(plan, CompatPlan) else None


class ResultComparison:
    """Compares the results of one job with its tests. It remembers each comparison, because most programs return the
    same few values.
    """

    def __init__(self, plans: list[Plan], positions: dict[int, int]) -> None:
        """`positions`: by test number, where its result is among a program's results."""
        self._plans, self._positions = plans, positions
        self._known: dict[tuple[int, str], Outcome] = {}

    def result(self, program: Program) -> ProgramResult:
        """Returns the result of a program that has run on every test."""
        outcomes: list[Outcome] = []
        outputs: list[str | None] = []
        seconds: list[float] = []
        for number, plan in enumerate(self._plans):
            result = program.results[self._positions[number]] if number in self._positions else None
            output = None
            if isinstance(plan, BlockPlan):
                outcome = program.verdicts[number]
            elif result is None or isinstance(plan, BrokenPlan):
                outcome = Outcome.UNSUPPORTED
            else:
                outcome = self._outcome(number, plan, result)
                output = result.text if result.status in (OK, STDOUT, EXCEPTION) else None
            outcomes.append(outcome)
            outputs.append(output)
            seconds.append(result.seconds if result else 0.0)
        return ProgramResult(
            program.key, tuple(outcomes), tuple(outputs), tuple(seconds), program.peak_mb, note=program.note
        )

    def _outcome(self, number: int, plan: CallPlan | ScriptPlan | CompatPlan, result: CellResult) -> Outcome:
        if result.status not in (OK, STDOUT):
            return OUTCOME_OF[result.status]
        if (number, result.text) not in self._known:
            if isinstance(plan, CallPlan):
                verdict = judge(plan, result.text)
            elif isinstance(plan, CompatPlan) or plan.expected is None:
                verdict = OUTCOME_OF[result.status]
            else:
                verdict = Outcome.PASSED if same_output(plan.expected, result.text) else Outcome.FAILED
            self._known[number, result.text] = verdict
        return self._known[number, result.text]
