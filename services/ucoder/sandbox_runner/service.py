"""SandboxService: the gRPC entry to the sandbox, and the conversion of its messages."""

import contextlib
from collections.abc import AsyncIterator, Sequence

from ucoder.core.idle_tests import idle_test
from ucoder.core.outcomes import Outcome
from ucoder.core.test_plans import Test
from ucoder.errors import Reject
from ucoder.runtime.authentication import CALLER
from ucoder.runtime.context import ServiceContext
from ucoder.sandbox_runner.run_messages import run_job, run_response
from ucoder.sandbox_runner.sandbox import Sandbox
from ucoder.sandbox_runner.sandbox_job import Limits, ProgramResult, SandboxJob
from ucoder.v1 import artifacts_pb2 as pb
from ucoder.v1 import config_pb2, sandbox_pb2, sandbox_pb2_grpc

NAME = sandbox_pb2.DESCRIPTOR.services_by_name["SandboxService"].full_name
REGISTER = sandbox_pb2_grpc.add_SandboxServiceServicer_to_server
_OUTCOME_CODES = {outcome: pb.Outcome.Value(f"OUTCOME_{outcome.upper()}") for outcome in Outcome}


class Service(sandbox_pb2_grpc.SandboxServiceServicer):
    """The service that runs untrusted programs."""

    def __init__(self, sandbox: Sandbox) -> None:
        self.sandbox = sandbox

    @classmethod
    @contextlib.asynccontextmanager
    async def open(cls, context: ServiceContext) -> AsyncIterator["Service"]:
        """Starts the cells; raises NoIsolation when this machine has no boundary to put around them."""
        settings = context.settings
        async with Sandbox.open(
            isolation=settings.isolation, cells=settings.cells, packages=settings.sandbox_packages
        ) as sandbox:
            yield cls(sandbox)

    async def Execute(
        self, request: sandbox_pb2.ExecuteRequest, context: object
    ) -> AsyncIterator[sandbox_pb2.ExecuteResponse]:
        """Yields rows as programs finish."""
        tests = tests_from_messages(request.tests)
        if request.language in ("", "python") and (idle := idle_test(tests)):
            raise Reject(f"tests: {idle}.")
        job = SandboxJob(
            programs=tuple(request.programs),
            tests=tests,
            entry_point=request.entry_point,
            language=request.language or "python",
            limits=limits_from_config(request.limits) if request.HasField("limits") else Limits(),
            check_determinism=request.check_determinism,
            mode="compat" if request.compat else "outside",
        )
        async for result in self.sandbox.execute(job):
            yield sandbox_pb2.ExecuteResponse(row=row_message(result))

    async def Run(self, request: sandbox_pb2.RunRequest, context: object) -> AsyncIterator[sandbox_pb2.RunResponse]:
        """Yields the output of a program as it appears, where that was asked for, and then its result."""
        job, caller = run_job(request), CALLER.get()
        if not request.stream:
            yield run_response(await self.sandbox.runs.run(job, caller))
            return
        async with contextlib.aclosing(self.sandbox.runs.stream(job, caller)) as events:
            async for event in events:
                yield run_response(event)


def tests_from_messages(tests: Sequence[pb.TestCase]) -> tuple[Test, ...]:
    """Returns tests as the core knows them."""
    return tuple(
        Test(
            code=test.code,
            count=test.count or 1,
            stdin=test.stdin if test.HasField("stdin") else None,
            expected_stdout=test.expected_stdout if test.HasField("expected_stdout") else None,
            tolerance=test.tolerance,
            comparison=test.comparison,
        )
        for test in tests
    )


def limits_from_config(config: config_pb2.ExecutionConfig) -> Limits:
    """Returns the limits of one program on one test."""
    return Limits(
        cpu_seconds=config.cpu_seconds,
        wall_seconds=config.wall_seconds,
        memory_mb=config.memory_mb,
        give_up_after_timeouts=config.give_up_after_timeouts,
    )


def row_message(result: ProgramResult) -> pb.Row:
    """Returns a program's result as a message; a test without an output has the empty text."""
    return pb.Row(
        program=result.program,
        outcomes=[_OUTCOME_CODES[outcome] for outcome in result.outcomes],
        outputs=["" if output is None else output for output in result.outputs],
        seconds=result.seconds,
        peak_memory_mb=result.peak_memory_mb,
        note=result.note,
    )
