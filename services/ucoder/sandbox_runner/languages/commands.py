"""The commands that run programs of each language for their output: the file, the compiler and the command."""

from dataclasses import dataclass

from ucoder.errors import Reject
from ucoder.sandbox_runner.isolation.boundary import NODE


@dataclass(frozen=True, slots=True)
class Command:
    """One process: the name of the program's file, and the command that takes it. No words: the warm interpreter."""

    file: str
    words: tuple[str, ...] = ()
    limits_address_space: bool = True
    """False for interpreters that reserve far more address space than they use, and limit their memory themselves."""


@dataclass(frozen=True, slots=True)
class Commands:
    """The commands of a language. `built` is the file that the compiler makes."""

    run: Command
    compile: Command | None = None
    built: str = ""


COMMANDS: dict[str, Commands] = {
    "python": Commands(Command("main.py")),
    "javascript": Commands(
        Command("main.js", (NODE, "--stack-size=900", "--no-warnings", "main.js"), limits_address_space=False)
    ),
    "bash": Commands(Command("main.sh", ("bash", "main.sh"))),
    "c": Commands(Command("", ("./main",)), Command("main.c", ("gcc", "-O1", "-o", "main", "main.c", "-lm")), "main"),
    "cpp": Commands(
        Command("", ("./main",)), Command("main.cpp", ("g++", "-std=c++17", "-O1", "-o", "main", "main.cpp")), "main"
    ),
}


def commands_of(language: str) -> Commands:
    """Returns the commands of a language; raises `Reject` where there are none."""
    if language not in COMMANDS:
        raise Reject(f"language: {language!r} cannot be run; there are {', '.join(COMMANDS)}.")
    return COMMANDS[language]
