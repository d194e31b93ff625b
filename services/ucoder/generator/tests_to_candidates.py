"""Arrow tests -> candidates: samples programs from the problem alone; the tests only decide when sampling stops."""

from ucoder.core.extraction import normal_form
from ucoder.core.selection import can_forecast
from ucoder.generator.adaptive_sampling import SampledPrograms, WinnerForecasts, sample_adaptively
from ucoder.generator.service import Service
from ucoder.generator.solution_sampling import sample_solutions
from ucoder.models.token_counts import TokenCounter
from ucoder.runtime.messaging import ledger
from ucoder.runtime.messaging.arrow_worker import Dropped
from ucoder.v1 import artifacts_pb2 as pb


async def run(service: Service, tests: pb.Tests, run: pb.Run) -> pb.Candidates | Dropped:
    """Returns the candidates of one brief: `n`, or as many as it takes to decide where sampling is adaptive.

    With a strategy whose winner cannot be forecast, every problem gets all of `n`.
    """
    config, problem, brief = run.config.candidates, tests.problem, tests.problem.brief
    if limit := await service.ledger.reached_limit(run, brief.iteration):
        return Dropped(ledger.reason_of_limit(limit))
    model = TokenCounter(service.model)

    async def sample(first: int, count: int) -> list[pb.Candidate]:
        seed = (brief.seed ^ 0x5EED) + first
        return await sample_solutions(model, brief.model, problem, config, run.config.model.profile, n=count, seed=seed)

    async def iteration_ended() -> bool:
        return bool(await service.ledger.reached_limit(run, brief.iteration))

    async def grant(count: int) -> bool:
        return await service.ledger.grant_spare(run.id, brief.iteration, count)

    if config.adaptive and can_forecast(run.config.selection.strategy):
        forecasts = WinnerForecasts(service.peers, tests, run.config)
        programs = await sample_adaptively(sample, forecasts.change_probability, grant, iteration_ended, config)
    else:
        programs = SampledPrograms(await sample(0, config.n))
    candidates = programs.candidates
    await service.ledger.record(
        brief,
        "candidates",
        {
            "tokens-candidates": model.tokens,
            ledger.PROGRAMS: len(candidates),
            ledger.DISTINCT: len({normal_form(candidate.program) for candidate in candidates}),
            ledger.SPARE: max(0, config.n - len(candidates)),
            ledger.UNDECIDED: int(programs.undecided),
        },
    )
    return pb.Candidates(tests=tests, candidates=candidates, rows=programs.rows)
