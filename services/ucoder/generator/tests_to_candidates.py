"""tests -> candidates: programs sampled from the problem alone; the tests travel with them and tell when to stop."""

from ucoder.core.extraction import normal_form
from ucoder.generator.adaptive_sampling import FOLLOWED, InterimSelection, SampledPrograms, sample_adaptively
from ucoder.generator.service import Service
from ucoder.generator.solution_sampling import sample_solutions
from ucoder.models.token_counts import TokenCounter
from ucoder.runtime.messaging.arrow_worker import Dropped
from ucoder.runtime.storage import ledger
from ucoder.v1 import artifacts_pb2 as pb


async def run(service: Service, tests: pb.Tests, run: pb.Run) -> pb.Candidates | Dropped:
    """The candidates of one brief: `n`, or as many as it takes to decide."""
    config, problem, brief = run.config.candidates, tests.problem, tests.problem.brief
    if limit := await service.ledger.over(run, brief.iteration):
        return Dropped(ledger.reason_of_limit(limit))
    model = TokenCounter(service.model)

    async def draw(first: int, count: int) -> list[pb.Candidate]:
        seed = (brief.seed ^ 0x5EED) + first
        return await sample_solutions(model, brief.model, problem, config, run.config.model.profile, n=count, seed=seed)

    async def over() -> bool:
        return bool(await service.ledger.over(run, brief.iteration))

    async def grant(count: int) -> bool:
        return await service.ledger.grant(run.id, brief.iteration, count)

    if config.adaptive and run.config.selection.strategy in FOLLOWED:
        looks = InterimSelection(service.peers.sandbox, service.peers.consensus, tests, run.config)
        found = await sample_adaptively(draw, looks.look, grant, over, config)
    else:
        found = SampledPrograms(await draw(0, config.n))
    await service.ledger.enter(
        brief,
        {
            "tokens-candidates": model.tokens,
            ledger.PROGRAMS: len(found.candidates),
            ledger.DISTINCT: len({normal_form(one.program) for one in found.candidates}),
            ledger.SPARE: max(0, config.n - len(found.candidates)),
            ledger.UNDECIDED: int(found.undecided),
        },
    )
    return pb.Candidates(tests=tests, candidates=found.candidates, rows=found.rows)
