"""The outcomes of programs: results are compared with expected values outside the cell, and passes beside a program are
confirmed.
"""

from ucoder.core import output_comparison
from ucoder.core.outcomes import Outcome
from ucoder.core.test_plans import BlockPlan, BrokenPlan, CallPlan, CompatPlan, Plan, ScriptPlan
from ucoder.core.value_comparison import judge
from ucoder.sandbox_runner.guest.cell_protocol import (
    CALL,
    ENDED,
    EXCEPTION,
    FAILED,
    LIKE,
    OK,
    PASSED,
    PLAIN,
    SCRIPT,
    STDOUT,
    CellTest,
)
from ucoder.sandbox_runner.host.cell import CellResult
from ucoder.sandbox_runner.host.program import Program
from ucoder.sandbox_runner.outcome_table import OUTCOME_OF
from ucoder.sandbox_runner.sandbox_job import ProgramResult


def cell_test(plan: Plan) -> CellTest | None:
    """Returns a test as a cell reads it, without any expected value; None where nothing runs at first. A test in compat
    mode is whole, because the program's word is believed.
    """
    if isinstance(plan, CallPlan):
        return CellTest(CALL, plan.call)
    if isinstance(plan, ScriptPlan):
        return CellTest(SCRIPT, plan.stdin)
    return CellTest(PLAIN, plan.source) if isinstance(plan, CompatPlan) else None


class ResultComparison:
    """Makes the outcomes of one job. It remembers each comparison, because most programs return the same few values."""

    def __init__(self, plans: list[Plan]) -> None:
        self._plans = plans
        self._known: dict[tuple[int, str, str], Outcome] = {}

    def result(self, program: Program, believed: frozenset[int]) -> ProgramResult:
        """Returns the result of a program that has run on every test. `believed`: the tests that it cannot forge."""
        outcomes: list[Outcome] = []
        outputs: list[str | None] = []
        seconds: list[float] = []
        for number, plan in enumerate(self._plans):
            result = program.results[program.places[number]] if number in program.places else None
            beside, output = program.beside.get(number), None
            if isinstance(plan, BrokenPlan):
                outcome = Outcome.UNSUPPORTED
            elif isinstance(plan, BlockPlan):
                result = beside or result
                outcome = _block_outcome(result, number in believed, program.verdicts.get(number))
            elif result is None:
                outcome = Outcome.UNSUPPORTED
            else:
                outcome = self._outcome(number, plan, result)
                if beside:
                    outcome = _confirmed(beside, number in believed, outcome)
                output = "!SystemExit" if result.status == ENDED else result.text
                output = output if result.status in (OK, LIKE, STDOUT, ENDED, EXCEPTION) else None
            if isinstance(plan, BlockPlan | BrokenPlan) and not program.note:
                program.note = plan.reason if isinstance(plan, BrokenPlan) else _reason(result, outcome)
            outcomes.append(outcome)
            outputs.append(output)
            seconds.append(result.seconds if result else 0.0)
        return ProgramResult(
            program.key, tuple(outcomes), tuple(outputs), tuple(seconds), program.peak_mb, note=program.note
        )

    def needs_plain_run(self, number: int, program: Program) -> bool:
        """Returns whether a call returned a value that does not cross as it is, so that only Python can compare it."""
        plan, result = self._plans[number], program.results[program.places[number]]
        compared = isinstance(plan, CallPlan) and plan.relation and not plan.tolerance and not plan.tuples_as_lists
        return bool(compared and result and result.status == LIKE)

    def _outcome(self, number: int, plan: CallPlan | ScriptPlan | CompatPlan, result: CellResult) -> Outcome:
        key = (number, result.status, result.text)
        if key not in self._known:
            self._known[key] = _compared(plan, result)
        return self._known[key]


def _compared(plan: CallPlan | ScriptPlan | CompatPlan, result: CellResult) -> Outcome:
    """Returns the outcome of a result beside what the test expects."""
    if isinstance(plan, CallPlan) and result.status in (OK, LIKE):
        return judge(plan, result.text)
    if isinstance(plan, ScriptPlan) and plan.expected is not None:
        ended_well = result.status == STDOUT or (
            result.status == ENDED and output_comparison.ignores_exit_status(plan.rule)
        )
        if ended_well:
            same = output_comparison.same_output(plan.rule, plan.expected, result.text, plan.tolerance)
            return Outcome.PASSED if same else Outcome.FAILED
    return OUTCOME_OF[result.status]


def _block_outcome(result: CellResult | None, believed: bool, judged: Outcome | None) -> Outcome:
    if result is None:
        return Outcome.UNSUPPORTED
    return _confirmed(result, believed, judged)


def _confirmed(beside: CellResult, believed: bool, outside: Outcome | None) -> Outcome:
    """Returns the outcome of a test that ran beside the program: a failure is believed, and a pass if the program
    cannot forge it or if somebody outside agrees.
    """
    if beside.status != PASSED or believed or outside == Outcome.PASSED:
        return OUTCOME_OF[beside.status]
    return Outcome.UNCONFIRMED


def _reason(result: CellResult | None, outcome: Outcome) -> str:
    """Returns what a person should know about the outcome of a block test."""
    if outcome == Outcome.UNCONFIRMED:
        return (
            "passed beside the program, which could have forged it, and the judge outside could not confirm it; compat "
            "mode (--compat) would believe it"
        )
    return result.text if result and result.status in (EXCEPTION, FAILED) else ""
