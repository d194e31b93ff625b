"""A problem out of what a model wrote: parsed leniently, checked strictly, refused for a named reason."""

import ast
import hashlib
import re
from dataclasses import dataclass

from ucoder.core.extraction import parse

LONGEST = 8000  # characters; more is rambling


class Unusable(ValueError):
    """What was invented cannot be posed. `reason` is snake_case, counted by the report."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


@dataclass(frozen=True, slots=True)
class Statement:
    """Signature and docstring, in HumanEval's form, ready to be continued by a solution."""

    prompt: str
    entry_point: str
    title: str
    parameters: tuple[tuple[str, str], ...]
    """Name and annotation (source text, empty where there is none) of each parameter."""

    @property
    def fingerprint(self) -> str:
        """Equal for problems that ask the same: types and words, whatever the names, the examples or the case."""
        types = ",".join(annotation for _, annotation in self.parameters)
        text = re.sub(rf"\b{re.escape(self.entry_point)}\b", "f", described(self.prompt)).lower()
        words = re.findall(r"\w+|[^\s\w]", text)
        return hashlib.sha256(f"{types}|{' '.join(words)}".encode()).hexdigest()


def read_statement(text: str) -> Statement:
    """The problem in a completion: fences and what stands before the function fall away, the body too.

    Raises Unusable: no_function, too_long, no_docstring, untyped (a parameter or the result), no_parameters.
    """
    text = re.sub(r"^\s*```\w*\n|```\s*$", "", text.strip("\n")) + "\n"
    if len(text) > LONGEST:
        raise Unusable("too_long")
    start = re.search(r"^(?:from |import |def )", text, re.MULTILINE)
    tree = parse(text[start.start() :] + "    pass\n") if start else None
    tree = tree or (parse(text[start.start() :]) if start else None)
    functions = [node for node in tree.body if isinstance(node, ast.FunctionDef)] if tree else []
    if not functions or start is None:
        raise Unusable("no_function")
    function = functions[-1]
    documentation = ast.get_docstring(function)
    if not documentation:
        raise Unusable("no_docstring")
    arguments = [*function.args.posonlyargs, *function.args.args, *function.args.kwonlyargs]
    if not arguments:
        raise Unusable("no_parameters")
    if function.returns is None or any(argument.annotation is None for argument in arguments):
        raise Unusable("untyped")
    lines = text[start.start() :].splitlines()
    prompt = "\n".join(lines[: function.body[0].end_lineno]) + "\n"
    parameters = tuple((a.arg, ast.unparse(a.annotation) if a.annotation else "") for a in arguments)
    return Statement(prompt, function.name, documentation.strip().splitlines()[0].strip(), parameters)


def described(prompt: str) -> str:
    """The docstring's words without its examples: what is asked, not what is shown."""
    documentation = re.search(r'("""|\'\'\')(.*?)\1', prompt, re.DOTALL)
    text = documentation.group(2) if documentation else prompt
    return text.split(">>>")[0].strip()


def read_rating(text: str) -> float | None:
    """The first number from 1 to 5 in what the model answered."""
    found = re.search(r"[1-5](?:\.\d+)?", text)
    return min(5.0, float(found.group())) if found else None


def read_skeleton(prompt: str, text: str) -> str:
    """Commented steps that continue the prompt; empty where they would not parse with a `pass` behind them."""
    body = "\n".join(line for line in text.splitlines() if line.strip().startswith("#") or not line.strip())
    indented = "\n".join(f"    {line.strip()}" for line in body.splitlines() if line.strip())
    return indented if indented and parse(f"{prompt}{indented}\n    pass\n") else ""
