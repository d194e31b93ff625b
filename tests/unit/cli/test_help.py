"""The help of every command: one sentence, one example that works as written, and a start without heavy packages."""

import re
import shlex
import subprocess
import sys
from collections.abc import Iterator

import pytest
import typer
from typer.testing import CliRunner

from ucoder import __version__
from ucoder.cli.command_line import COMMANDS, app

HEAVY = ("torch", "numpy", "pyarrow", "grpc", "google", "nats", "obstore", "uvicorn", "httpx", "matplotlib")
WITHOUT_DEVELOPMENT = "import sys; sys.modules['ucoder_development'] = None; from ucoder.cli import main; main()"
ROOT = typer.main.get_command(app)


def leaves(command=ROOT, words: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], object]]:
    """Yields each command that does work, with its words."""
    command = getattr(command, "loaded", command)
    for name, one in getattr(command, "commands", {}).items():
        yield from leaves(one, (*words, name))
    if not hasattr(command, "commands"):
        yield words, command


LEAVES = dict(leaves())


def run(*code_and_words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, "-c", *code_and_words], capture_output=True, text=True, check=False)


@pytest.mark.parametrize("words", LEAVES, ids=" ".join)
def test_a_command_says_what_it_does_and_gives_one_example_that_parses(words: tuple[str, ...]) -> None:
    text = LEAVES[words].help
    sentence = text.partition("\n\n")[0].replace("\n", " ")
    assert re.match(r"[A-Z][a-z]+s .*\.$", sentence)
    [example] = re.findall(r"Example: `([^`]+)`", text.replace("\n", " "))
    given = shlex.split(example)
    while "=" in given[0]:  # settings of the environment come before the program
        given.pop(0)
    assert given[: 1 + len(words)] == ["ucoder", *words]
    LEAVES[words].make_context("ucoder", given[1 + len(words) :])


def test_the_list_of_commands_shows_the_first_paragraph_of_each_help() -> None:
    lazy = [one for group in (ROOT, ROOT.commands["generate"].loaded) for one in group.commands.values()]
    assert len(lazy) == 21
    for one in lazy:
        assert one.help == one.loaded.help.partition("\n\n")[0].replace("\n", " ")


def test_every_option_has_a_help() -> None:
    for words, command in LEAVES.items():
        for parameter in command.params:
            assert parameter.name == "help" or parameter.help, f"{' '.join(words)} {parameter.name}"


def test_the_list_of_commands_is_grouped_by_purpose() -> None:
    shown = CliRunner().invoke(app, ["--help"], env={"COLUMNS": "120"}).stdout
    for panel, commands in COMMANDS.items():
        for name in commands:
            assert re.search(rf"─ {panel} ─(?:(?!╰).)*│ {name} ", shown, re.DOTALL), name
    assert "--install-completion" in shown


def test_the_version() -> None:
    done = CliRunner().invoke(app, ["--version"])
    assert (done.exit_code, done.stdout) == (0, f"ucoder {__version__}\n")


@pytest.mark.parametrize("words", ["", "--help", "bench --help", "generate --help", "--version"])
def test_help_imports_nothing_heavy(words: str) -> None:
    report = f"import atexit, sys; atexit.register(lambda: print('HEAVY', [m for m in {HEAVY} if m in sys.modules]));"
    done = run(f"{report} from ucoder.cli import main; main()", *words.split())
    assert done.stdout.endswith("HEAVY []\n"), done.stdout[-300:]


def test_a_package_without_the_development_side_has_the_measurements_of_users_alone() -> None:
    done = run(WITHOUT_DEVELOPMENT, "bench", "--help")
    assert done.returncode == 0, done.stderr
    assert "part of a checkout" in done.stdout
    for name, present in (
        ("sandbox", False),
        ("generate", True),
        ("latency", False),
        ("verdicts", False),
        ("load", False),
    ):
        assert (f"│ {name} " in done.stdout) == present
    assert "part of a checkout" not in run("from ucoder.cli import main; main()", "bench", "--help").stdout
    done = run(WITHOUT_DEVELOPMENT, "bench", "sandbox", "absent.jsonl")
    assert (done.returncode, "sandbox" in done.stderr) == (2, True)


def test_without_the_packages_of_the_services_the_program_names_the_extra() -> None:
    done = run("import sys; sys.modules['typer'] = None; from ucoder.cli import main; main()")
    assert (done.returncode, done.stderr) == (
        1, "ucoder: the command line needs more packages: pip install 'ucoder[service]'\n"
    )  # fmt: skip
