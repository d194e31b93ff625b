"""`ucoder mcp` with the official client, over standard input and output and over HTTP."""

import os
import subprocess
import sys
from typing import Any

import pytest

mcp = pytest.importorskip("mcp")


async def use(client: Any) -> None:
    """Calls each tool through an open client and checks what it returns."""
    listed = {tool.name: tool for tool in (await client.list_tools()).tools}
    assert set(listed) == {"run_python", "run_tests", "select_program"}
    assert listed["run_python"].output_schema["required"] == [
        "stdout",
        "stderr",
        "exit_code",
        "timed_out",
        "truncated",
        "seconds",
    ]
    assert listed["run_python"].annotations.open_world_hint is False
    ran = await client.call_tool(
        "run_python", {"code": "print(input(), open('a').read())", "stdin": "1", "files": {"a": "2"}}
    )
    assert (ran.structured_content["stdout"], ran.structured_content["exit_code"]) == ("1 2\n", 0)
    slow = await client.call_tool("run_python", {"code": "while True: pass", "seconds": 0.3})
    assert slow.structured_content["timed_out"] is True
    tested = await client.call_tool(
        "run_tests", {"program": "def f(x): return 2 * x", "tests": ["assert f(1) == 2", "assert f(1) == 3", "f(4)"]}
    )
    assert tested.structured_content["passed"] == 1
    assert [one["outcome"] for one in tested.structured_content["results"]] == ["passed", "failed", "returned"]
    programs = ["def f(x: int): return x + 1", "def f(x: int): return 1 + x", "def f(x: int): return 2 * x"]
    selected = await client.call_tool("select_program", {"programs": programs})
    assert list(map(sorted, selected.structured_content["clusters"])) == [[0, 1], [2]]
    wrong = await client.call_tool("select_program", {"programs": []})
    assert wrong.is_error
    assert "programs" in wrong.content[0].text


async def test_over_standard_input_and_output(served: str) -> None:
    arguments = ["-m", "ucoder", "mcp", "--consensus", served]
    command = mcp.StdioServerParameters(command=sys.executable, args=arguments, env=dict(os.environ))
    async with mcp.Client(mcp.stdio_client(command)) as client:
        await use(client)


async def test_over_http(served: str) -> None:
    command = [sys.executable, "-m", "ucoder", "mcp", "--listen", "127.0.0.1:0", "--consensus", served]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as server:
        assert server.stderr is not None
        try:
            url = server.stderr.readline().split()[1]
            async with mcp.Client(url) as client:
                await use(client)
        finally:
            server.terminate()
