"""The MCP server: three tools by which an agent runs untrusted programs and asks which of several is right.

A failure of the platform is an error of the tool and never an exit code, so that no agent takes it for a fault of the
program.
"""

import contextlib
from collections.abc import AsyncIterator
from typing import Annotated, Any

import grpc
from mcp.server.mcpserver import MCPServer
from mcp.server.mcpserver.exceptions import ToolError
from mcp_types import ToolAnnotations
from pydantic import BaseModel, Field

from ucoder import __version__
from ucoder.client import AsyncClient
from ucoder.errors import UcoderError, of_call
from ucoder.v1 import artifacts_pb2 as pb
from ucoder.v1 import config_pb2, sandbox_pb2, sandbox_pb2_grpc

MOST_TEXT = 20_000
"""The most characters of one output that a tool returns."""
HINTS = ToolAnnotations(
    read_only_hint=False, destructive_hint=False, idempotent_hint=False, open_world_hint=False
)  # a program runs, changes nothing outside its sandbox, and reaches no network
Tests = Annotated[list[str], Field(description="Python tests, such as `assert f(1) == 2`; each is judged on its own.")]


class RunOutput(BaseModel):
    """The end of a program that was run."""

    stdout: str
    stderr: str
    exit_code: int | None = Field(description="Null when the program reached its time limit.")
    timed_out: bool
    truncated: bool = Field(description="Whether the output was longer than what is returned.")
    seconds: float


class TestResult(BaseModel):
    """The outcome of one test."""

    test: str
    outcome: str = Field(description="passed, failed, exception, timeout_cpu, ..., or returned for a call alone.")
    output: str = Field(description="The value that the call returned, or the error that it raised.")


class TestsOutput(BaseModel):
    """The outcomes of all tests."""

    passed: int
    total: int
    results: list[TestResult]


class SelectOutput(BaseModel):
    """The program that is most likely right, or an abstention."""

    selected: int | None = Field(description="The index of the program; null when no program can be selected.")
    program: str | None
    confidence: float
    clusters: list[list[int]] = Field(description="The programs that behave alike, the best group first.")
    disagreements: list[str] = Field(description="Inputs on which the best groups differ, with their answers.")
    reasons: list[str] = Field(description="What became of each program that failed most tests.")
    explanation: str


@contextlib.asynccontextmanager
async def _told_errors() -> AsyncIterator[None]:
    """Raises the error of a service as an error of the tool, whose words the agent sees."""
    try:
        yield
    except grpc.RpcError as error:
        raise ToolError(str(of_call(error))) from None
    except UcoderError as error:
        raise ToolError(str(error)) from None


def mcp_server(address: str, channel: grpc.aio.Channel) -> MCPServer[Any]:
    """Returns the server in front of the consensus and sandbox services at an address, to which `channel` leads."""
    server: MCPServer[Any] = MCPServer("ucoder", version=__version__)
    sandbox = sandbox_pb2_grpc.SandboxServiceStub(channel)

    @server.tool(title="Run a Python program in a sandbox", annotations=HINTS)
    async def run_python(
        code: Annotated[str, Field(description="The program, as `python3 FILE` would run it; no network.")],
        stdin: Annotated[str, Field(description="What it reads on its standard input.")] = "",
        files: Annotated[dict[str, str] | None, Field(description="Text files to put beside it, by name.")] = None,
        seconds: Annotated[float, Field(gt=0, le=300, description="The limit of processor time.")] = 10.0,
    ) -> RunOutput:
        """Runs an untrusted Python program in a gVisor sandbox and returns what it prints, and its exit code."""
        async with _told_errors(), AsyncClient(address, attempts=3) as client:
            output = await client.run(
                code, stdin=stdin, files=files or {}, cpu_seconds=seconds, wall_seconds=2 * seconds
            )
        end = output.process
        assert end is not None  # Python needs no compiler
        stdout, stderr = (text.decode("utf-8", "replace") for text in (end.stdout, end.stderr))
        cut = end.stdout_cut or end.stderr_cut or max(len(stdout), len(stderr)) > MOST_TEXT
        return RunOutput(
            stdout=stdout[:MOST_TEXT],
            stderr=stderr[-MOST_TEXT:],
            exit_code=end.exit_code,
            timed_out=end.exit_code is None,
            truncated=cut,
            seconds=round(end.seconds, 3),
        )

    @server.tool(title="Run tests on a Python program", annotations=HINTS)
    async def run_tests(program: str, tests: Tests, entry_point: str = "") -> TestsOutput:
        """Runs tests on an untrusted program. Values are compared outside its process, so it cannot fake a pass."""
        request = sandbox_pb2.ExecuteRequest(
            programs=[program],
            tests=[pb.TestCase(code=test) for test in tests],
            entry_point=entry_point,
            limits=config_pb2.ExecutionConfig(cpu_seconds=2, wall_seconds=10, memory_mb=512, give_up_after_timeouts=2),
        )
        async with _told_errors():
            [row] = [message.row async for message in sandbox.Execute(request, timeout=600)]
        names = [pb.Outcome.Name(code).removeprefix("OUTCOME_").lower() for code in row.outcomes]
        ended = zip(tests, names, row.outputs or [""] * len(tests), strict=True)
        results = [TestResult(test=test, outcome=name, output=text[:2000]) for test, name, text in ended]
        return TestsOutput(passed=names.count("passed"), total=len(tests), results=results)

    @server.tool(title="Select the program that is right", annotations=HINTS)
    async def select_program(
        programs: Annotated[list[str], Field(description="Complete Python programs for the same task.")],
        tests: Tests | None = None,
        prompt: Annotated[str, Field(description="The text of the task, with signature and docstring.")] = "",
    ) -> SelectOutput:
        """Executes several programs for one task and selects the one that most others agree with, or abstains.

        Tests are evidence and may be wrong. Without tests, inputs are synthesised from types and examples.
        """
        async with _told_errors(), AsyncClient(address, attempts=3) as client:
            answer = await client.select(programs, tests or [], prompt=prompt)
        verdict = answer.verdict
        return SelectOutput(
            selected=verdict.selected,
            program=answer.program,
            confidence=round(verdict.confidence, 4),
            clusters=[list(cluster.members) for cluster in verdict.clusters],
            disagreements=[f"{one.input}: {' / '.join(one.outputs)}"[:1000] for one in verdict.disagreements],
            reasons=[f"program {one.program} {one.words}" for one in answer.reasons],
            explanation=answer.explanation or verdict.reason,
        )

    return server
