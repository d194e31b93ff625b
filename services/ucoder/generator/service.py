"""GeneratorService, and what its three arrows share."""

from collections.abc import AsyncIterator

from ucoder.core.decontamination import Decontamination
from ucoder.errors import NotFound, Retry
from ucoder.generator.known_tasks import known_tasks
from ucoder.generator.novelty import ClaimsInMemory, Novelty
from ucoder.generator.problem_invention import ProblemChecks, invent_problem
from ucoder.generator.solution_sampling import sample_solutions
from ucoder.models import model_of
from ucoder.runtime.context import ServiceContext
from ucoder.runtime.messaging.arrow_worker import Dropped
from ucoder.v1 import artifacts_pb2 as pb
from ucoder.v1 import generator_pb2, generator_pb2_grpc, sandbox_pb2

NAME = generator_pb2.DESCRIPTOR.services_by_name["GeneratorService"].full_name
REGISTER = generator_pb2_grpc.add_GeneratorServiceServicer_to_server


class Service(generator_pb2_grpc.GeneratorServiceServicer):
    """The service that asks the model for problems and programs."""

    def __init__(self, context: ServiceContext) -> None:
        self.model = model_of(context)
        self.artifacts = context.artifacts
        self.states, self.metrics = context.states, context.metrics
        self.ledger = context.ledger
        self.peers = context.peers
        self._decontamination: dict[tuple[str, ...], Decontamination] = {}

    async def call_returns(self, program: str, call: str, entry_point: str) -> bool:
        """Returns whether a call returns in the sandbox; raises Retry when the sandbox could not run it."""
        request = sandbox_pb2.ExecuteRequest(
            programs=[program], tests=[pb.TestCase(code=call)], entry_point=entry_point
        )
        [row] = [answer.row async for answer in self.peers.sandbox.Execute(request)]
        if pb.OUTCOME_INFRA_ERROR in row.outcomes:
            raise Retry("the sandbox could not run a skeleton.")
        return list(row.outcomes) == [pb.OUTCOME_RETURNED]

    def decontamination(self, *benchmarks: str) -> Decontamination:
        """Returns the index of the benchmarks' own tasks; each set of benchmarks is read once."""
        if benchmarks not in self._decontamination:
            self._decontamination[benchmarks] = Decontamination(known_tasks(benchmarks))
        return self._decontamination[benchmarks]

    async def require_served(self, model: str) -> str:
        """Returns the model's name; raises NotFound when an exclusive server holds another checkpoint.

        A call never switches the server: only runs decide what is served.
        """
        served = await self.model.served() if self.model.exclusive else []
        if served and model not in served:
            raise NotFound(f"the server holds {', '.join(served)} now, not {model}; only runs switch it.")
        return model

    async def GenerateProblems(
        self, request: generator_pb2.GenerateProblemsRequest, context: object
    ) -> AsyncIterator[generator_pb2.GenerateProblemsResponse]:
        """Yields a problem or a drop reason for each brief; problems that the call has already posed are dropped."""
        config, model = request.config, await self.require_served(request.model)
        novelty = Novelty(ClaimsInMemory(), "call", config.near_duplicate or 1.0)
        known = self.decontamination("seed", *config.decontaminate)
        domains, levels = list(config.domains), config.max_difficulty - config.min_difficulty + 1
        for number in range(request.count):
            brief = pb.Brief(
                number=number,
                seed=request.seed + number,
                model=model,
                domain=domains[number % len(domains)],
                difficulty=config.min_difficulty + number // len(domains) % levels,
            )
            checks = ProblemChecks(novelty, str(number), known, self.call_returns)
            problem = await invent_problem(self.model, brief, config, request.profile, checks)
            if isinstance(problem, Dropped):
                yield generator_pb2.GenerateProblemsResponse(dropped=problem.reason)
            else:
                yield generator_pb2.GenerateProblemsResponse(problem=problem)

    async def SampleSolutions(
        self, request: generator_pb2.SampleSolutionsRequest, context: object
    ) -> AsyncIterator[generator_pb2.SampleSolutionsResponse]:
        """Yields programs for one problem."""
        candidates = await sample_solutions(
            self.model, await self.require_served(request.model), request.problem, request.config, request.profile,
            n=request.config.n, seed=request.seed,
        )  # fmt: skip
        for candidate in candidates:
            yield generator_pb2.SampleSolutionsResponse(candidate=candidate)

    async def Score(self, request: generator_pb2.ScoreRequest, context: object) -> generator_pb2.ScoreResponse:
        """Returns the mean log-probability of a text."""
        score = await self.model.score(await self.require_served(request.model), request.text)
        return generator_pb2.ScoreResponse(mean_log_prob=score.mean_log_prob, tokens=score.tokens)
