"""`Client.run`: one program, run in a real sandbox for its output."""

import pytest

from ucoder.client import AsyncClient, Client, ProgramOutput
from ucoder.errors import Reject


def test_output_exit_code_and_files(served: str) -> None:
    program = "import sys\nprint(input(), sys.argv[1:])\nopen('a/b.txt', 'a').write('!')\nsys.exit('bad')"
    with Client(served) as client:
        output = client.run(program, stdin="hi", args=["x"], files={"a/b.txt": "text"}, fetch_files=["a/b.txt", "none"])
    assert output.process is not None
    assert output.compiler is None
    assert (output.process.ending, output.process.exit_code) == ("exited", 1)
    assert (output.process.stdout, output.process.stderr) == (b"hi ['x']\n", b"bad\n")
    assert output.files == {"a/b.txt": b"text!"}


@pytest.mark.parametrize(
    ("program", "ending", "exit_code"),
    [
        ("while True: pass", "timeout_cpu", None),
        ("import time; time.sleep(60)", "timeout_wall", None),
        ("import os; os.kill(os.getpid(), 11)", "exited", -11),
        ("import os; os._exit(7)", "exited", 7),
        ("x = [0] * 10**9", "exited", 1),
        ("def f(:", "exited", 1),
    ],
)
def test_endings(served: str, program: str, ending: str, exit_code: int | None) -> None:
    with Client(served) as client:
        end = client.run(program, cpu_seconds=0.5, wall_seconds=1.5, memory_mb=300).process
    assert end is not None
    assert (end.ending, end.exit_code) == (ending, exit_code)


def test_a_program_is_a_script_like_any_other(served: str) -> None:
    program = (
        "import atexit, threading, sys, __main__\natexit.register(print, 'last')\n"
        "threading.Thread(target=lambda: print('thread')).start()\n"
        "print(__name__, __file__, __main__.__file__ == __file__, sys.path[0] == __import__('os').getcwd())"
    )
    with Client(served) as client:
        end = client.run(program).process
        traceback = client.run("def f():\n    1/0\nf()").process
        other = client.run("console.log(process.argv.slice(2).join())", language="javascript", args=["a", "b"]).process
    assert end is not None
    assert end.stdout.decode().split("\n")[:1] == ["thread"] or b"__main__ main.py True True" in end.stdout
    assert end.stdout.endswith(b"last\n")
    assert traceback is not None
    assert traceback.stderr.decode().splitlines()[0] == "Traceback (most recent call last):"
    assert traceback.stderr.decode().splitlines()[-1] == "ZeroDivisionError: division by zero"
    assert "/guest" not in traceback.stderr.decode()
    assert other is not None
    assert other.stdout == b"a,b\n"


async def test_a_stream_yields_output_as_it_appears(served: str) -> None:
    program = "import sys, time\nprint(1, flush=True)\ntime.sleep(0.6)\nprint(2, file=sys.stderr)\n"
    async with AsyncClient(served) as client:
        seen = [event async for event in client.run_stream(program)]
    assert seen[:2] == [("stdout", b"1\n"), ("stderr", b"2\n")]
    assert isinstance(seen[2], ProgramOutput)


def test_output_beyond_the_limit_is_cut_and_the_program_goes_on(served: str) -> None:
    with Client(served) as client:
        output = client.run("print('x' * 300_000)\nopen('end', 'w').write('1')", output_kb=1, fetch_files=["end"])
    assert output.process is not None
    assert (len(output.process.stdout), output.process.stdout_cut) == (1024, True)
    assert output.files == {"end": b"1"}


def test_files_that_are_no_files_stay_out(served: str) -> None:
    with Client(served) as client:
        output = client.run(
            "import os; os.symlink('/etc/passwd', 'link'); os.mkfifo('pipe')", fetch_files=["link", "pipe"]
        )
        assert output.files == {}
        for path in ("/etc/passwd", "../outside", ""):
            with pytest.raises(Reject, match=r"files|path"):
                client.run("1", files={path: "x"})
