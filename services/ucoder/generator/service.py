"""GeneratorService, and what its three arrows share."""

import contextlib
from collections.abc import AsyncIterator

from ucoder.core.decontamination import Decontamination
from ucoder.core.problem_parsing import Statement
from ucoder.errors import NotFound, Retry
from ucoder.generator.known_tasks import known_tasks
from ucoder.generator.novelty import ClaimsInMemory, Novelty
from ucoder.generator.problem_invention import ProblemChecks, invent_problem
from ucoder.generator.solution_sampling import sample_solutions
from ucoder.models import model_of
from ucoder.runtime.context import ServiceContext
from ucoder.runtime.messaging.arrow_worker import Dropped
from ucoder.runtime.storage.artifacts import Artifacts
from ucoder.v1 import artifacts_pb2 as pb
from ucoder.v1 import generator_pb2, generator_pb2_grpc, sandbox_pb2

NAME = generator_pb2.DESCRIPTOR.services_by_name["GeneratorService"].full_name
REGISTER = generator_pb2_grpc.add_GeneratorServiceServicer_to_server


class Service(generator_pb2_grpc.GeneratorServiceServicer):
    """The model's side of the loop."""

    def __init__(self, context: ServiceContext) -> None:
        self.model = model_of(context)
        self.artifacts: Artifacts = context.artifacts
        self.states = context.states
        self.ledger = context.ledger
        self.peers = context.peers
        self._known: dict[tuple[str, ...], Decontamination] = {}

    @classmethod
    @contextlib.asynccontextmanager
    async def open(cls, context: ServiceContext) -> AsyncIterator["Service"]:
        """The service for as long as the block runs."""
        yield cls(context)

    async def returns(self, program: str, call: str, entry_point: str) -> bool:
        """Whether a call of a program returns, in the sandbox. Raises Retry when that could not be found out."""
        request = sandbox_pb2.ExecuteRequest(
            programs=[program], tests=[pb.TestCase(code=call)], entry_point=entry_point
        )
        [row] = [answer.row async for answer in self.peers.sandbox.Execute(request)]
        if pb.OUTCOME_INFRA_ERROR in row.outcomes:
            raise Retry("the sandbox could not run a skeleton.")
        return list(row.outcomes) == [pb.OUTCOME_RETURNED]

    def known(self, *benchmarks: str) -> Decontamination:
        """The index of the benchmarks' own tasks, read once."""
        if benchmarks not in self._known:
            self._known[benchmarks] = Decontamination(known_tasks(benchmarks))
        return self._known[benchmarks]

    async def answering(self, model: str) -> str:
        """The name itself. NotFound when another checkpoint has the server to itself: a caller never changes that."""
        served = await self.model.served() if self.model.exclusive else []
        if served and model not in served:
            raise NotFound(f"{', '.join(served)} is served now, not {model}; runs alone decide what is.")
        return model

    async def GenerateProblems(  # noqa: N802
        self, request: generator_pb2.GenerateProblemsRequest, context: object
    ) -> AsyncIterator[generator_pb2.GenerateProblemsResponse]:
        """One answer per brief asked for; duplicates within the call are left out."""
        name = await self.answering(request.model)
        freshness = Novelty(ClaimsInMemory(), "call", request.config.near_duplicate or 1.0)
        known = self.known("seed", *request.config.decontaminate)
        domains = list(request.config.domains)
        for number in range(request.count):
            spread = request.config.max_difficulty - request.config.min_difficulty + 1
            brief = pb.Brief(
                number=number,
                seed=request.seed + number,
                model=name,
                domain=domains[number % len(domains)],
                difficulty=request.config.min_difficulty + number // len(domains) % spread,
            )

            async def claim(statement: Statement, owner: str = str(number)) -> tuple[str, str]:
                return await freshness.claim(statement, owner)

            checks = ProblemChecks(claim, known, self.returns)
            made = await invent_problem(self.model, brief, request.config, request.profile, checks)
            if isinstance(made, Dropped):
                yield generator_pb2.GenerateProblemsResponse(dropped=made.reason)
            else:
                yield generator_pb2.GenerateProblemsResponse(problem=made)

    async def SampleSolutions(  # noqa: N802
        self, request: generator_pb2.SampleSolutionsRequest, context: object
    ) -> AsyncIterator[generator_pb2.SampleSolutionsResponse]:
        """Programs for one problem."""
        found = await sample_solutions(
            self.model, await self.answering(request.model), request.problem, request.config, request.profile,
            n=request.config.n, seed=request.seed,
        )  # fmt: skip
        for candidate in found:
            yield generator_pb2.SampleSolutionsResponse(candidate=candidate)

    async def Score(  # noqa: N802
        self, request: generator_pb2.ScoreRequest, context: object
    ) -> generator_pb2.ScoreResponse:
        """The mean log-probability of a text."""
        scored = await self.model.score(await self.answering(request.model), request.text)
        return generator_pb2.ScoreResponse(mean_log_prob=scored.mean_log_prob, tokens=scored.tokens)
