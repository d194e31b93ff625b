"""GeneratorService, and what its three arrows share."""

import contextlib
from collections.abc import AsyncIterator

from ucoder.core.decontamination import Decontamination
from ucoder.generator.known_tasks import known_prompts
from ucoder.generator.problems import invent
from ucoder.generator.solutions import sample
from ucoder.runtime.artifacts import Artifacts
from ucoder.runtime.errors import NotFound
from ucoder.runtime.worker import Dropped
from ucoder.runtime.world import World
from ucoder.v1 import artifacts_pb2 as pb
from ucoder.v1 import consensus_pb2_grpc, generator_pb2, generator_pb2_grpc, sandbox_pb2_grpc

NAME = generator_pb2.DESCRIPTOR.services_by_name["GeneratorService"].full_name
REGISTER = generator_pb2_grpc.add_GeneratorServiceServicer_to_server


class Service(generator_pb2_grpc.GeneratorServiceServicer):
    """The model's side of the loop."""

    def __init__(self, world: World) -> None:
        self.model = world.model()
        self.artifacts: Artifacts = world.artifacts
        self.states = world.states
        self.ledger = world.ledger
        self._world = world
        self._known: dict[tuple[str, ...], Decontamination] = {}

    @classmethod
    @contextlib.asynccontextmanager
    async def open(cls, world: World) -> AsyncIterator["Service"]:
        """The service for as long as the block runs."""
        yield cls(world)

    @property
    def sandbox(self) -> "sandbox_pb2_grpc.SandboxServiceAsyncStub":
        """What runs candidates between two rounds."""
        return self._world.stub(sandbox_pb2_grpc.SandboxServiceStub, "sandbox_runner")

    @property
    def consensus(self) -> "consensus_pb2_grpc.ConsensusServiceAsyncStub":
        """What says whether another round is needed."""
        return self._world.stub(consensus_pb2_grpc.ConsensusServiceStub, "consensus")

    def known(self, *benchmarks: str) -> Decontamination:
        """The index of the benchmarks' own tasks, read once."""
        if benchmarks not in self._known:
            self._known[benchmarks] = Decontamination(known_prompts(benchmarks))
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
        seen: set[str] = set()
        name = await self.answering(request.model)

        async def fresh(fingerprint: str) -> bool:
            new = fingerprint not in seen
            seen.add(fingerprint)
            return new

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
            made = await invent(
                self.model, brief, request.config, request.profile, fresh=fresh, known=self.known("seed")
            )
            if isinstance(made, Dropped):
                yield generator_pb2.GenerateProblemsResponse(dropped=made.reason)
            else:
                yield generator_pb2.GenerateProblemsResponse(problem=made)

    async def SampleSolutions(  # noqa: N802
        self, request: generator_pb2.SampleSolutionsRequest, context: object
    ) -> AsyncIterator[generator_pb2.SampleSolutionsResponse]:
        """Programs for one problem."""
        found = await sample(
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
