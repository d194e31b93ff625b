"""Reads a problem from a completion: it parses leniently, checks strictly, and refuses for a named reason."""

import ast
import builtins
import hashlib
import json
import re
import typing
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from ucoder.core.drop_reasons import DropReason
from ucoder.core.extraction import parse
from ucoder.core.input_synthesis.text_examples import TextExample, read_examples

LONGEST = 8000
"""The limit of a statement in characters. A longer text is no problem statement."""
_EXAMPLES = re.compile(r">>>|^\W*(?:example|sample)", re.IGNORECASE | re.MULTILINE)
_HINT = re.compile(r"^\s*hint\s*:\s*(.+)$", re.IGNORECASE | re.MULTILINE)


class UnusableProblem(ValueError):
    """The error of an invented problem that cannot be posed. The report counts these by reason."""

    def __init__(self, reason: DropReason, detail: str = "") -> None:
        super().__init__(reason)
        self.reason = reason
        self.detail = detail


@dataclass(frozen=True, slots=True)
class Statement:
    """A problem statement: signature and docstring in HumanEval's form, which a solution continues."""

    prompt: str
    entry_point: str
    """The function's name. Empty for a script, which reads stdin and writes stdout."""
    title: str
    parameters: tuple[tuple[str, str], ...]
    """Name and annotation (source text, empty where there is none) of each parameter."""
    example: TextExample | None = None
    """The first call that the docstring shows."""
    hint: str = ""
    """One sentence towards a solution, where the model gave one."""

    @property
    def normal_text(self) -> str:
        """The types and words of the problem, without the function's name, the examples and the case."""
        types = ",".join(annotation for _, annotation in self.parameters)
        text = description_of(self.prompt)
        if self.entry_point:
            text = re.sub(rf"\b{re.escape(self.entry_point)}\b", "f", text)
        text = text.lower()
        return f"{types}|" + " ".join(re.findall(r"\w+|[^\s\w]", text))

    @property
    def fingerprint(self) -> str:
        """A SHA-256 in hexadecimal that is equal for problems with the same `normal_text`."""
        return hashlib.sha256(self.normal_text.encode()).hexdigest()


def read_statement(text: str) -> Statement:
    """Reads the problem in a completion: a JSON object with its parts, or a function with a docstring.

    The object has title, description, signature, example and hint. Fences, prose around the problem and a body are
    removed; missing imports of `typing` are added. Raises UnusableProblem: TOO_LONG, NO_FUNCTION, NO_DOCSTRING,
    NO_PARAMETERS, UNTYPED, UNKNOWN_TYPE, or EXAMPLE_MISFIT.
    """
    text = re.sub(r"^\s*```\w*\n|```\s*$", "", text.strip("\n")) + "\n"
    if len(text) > LONGEST:
        raise UnusableProblem(DropReason.TOO_LONG)
    problem = next(_json_problems(text), None)
    text, title, hint = _source_of(problem) if problem else (text, "", "")
    start = re.search(r"^(?:from |import |def )", text, re.MULTILINE)
    source = text[start.start() :] if start else ""
    tree = parse(f"{source}    pass\n") or parse(source)
    functions = [node for node in tree.body if isinstance(node, ast.FunctionDef)] if tree else []
    if not functions or tree is None:
        raise UnusableProblem(DropReason.NO_FUNCTION)
    function = functions[-1]
    documentation = (ast.get_docstring(function) or "").strip()
    if not documentation:
        raise UnusableProblem(DropReason.NO_DOCSTRING)
    arguments = [*function.args.posonlyargs, *function.args.args, *function.args.kwonlyargs]
    if not arguments:
        raise UnusableProblem(DropReason.NO_PARAMETERS)
    if function.returns is None or any(argument.annotation is None for argument in arguments):
        raise UnusableProblem(DropReason.UNTYPED)
    prompt = _imports(tree, function) + "\n".join(source.splitlines()[: function.body[0].end_lineno]) + "\n"
    return Statement(
        prompt=prompt,
        entry_point=function.name,
        title=title or documentation.splitlines()[0].strip(),
        parameters=tuple((a.arg, ast.unparse(a.annotation) if a.annotation else "") for a in arguments),
        example=_example(prompt, function),
        hint=hint or next(iter(_HINT.findall(documentation)), "").strip(),
    )


def description_of(prompt: str) -> str:
    """Returns the words of a prompt's docstring without its examples and its hint."""
    documentation = re.search(r'("""|\'\'\')(.*?)\1', prompt, re.DOTALL)
    text = documentation.group(2) if documentation else prompt
    return _HINT.sub("", _EXAMPLES.split(text)[0]).strip()


def read_skeleton(prompt: str, text: str) -> str:
    """Returns the commented steps that continue the prompt, or the empty text where prompt and steps do not parse."""
    indented = "\n".join(f"    {line.strip()}" for line in text.splitlines() if line.strip().startswith("#"))
    return indented if indented and parse(f"{prompt}{indented}\n    pass\n") else ""


def _json_problems(text: str) -> Iterator[dict[str, Any]]:
    """Yields the JSON objects in a text that state a problem."""
    for match in re.finditer(r"\{", text):
        try:
            value, _ = json.JSONDecoder(strict=False).raw_decode(text, match.start())
        except (ValueError, RecursionError):
            continue
        if isinstance(value, dict) and value.get("signature") and value.get("description"):
            yield value


def _source_of(problem: dict[str, Any]) -> tuple[str, str, str]:
    """Returns source text, title and hint of an object. Its `example` has a call (or its arguments) and the result."""
    signature = str(problem["signature"]).strip().rstrip(":").removesuffix("...").strip().rstrip(":")
    name = re.search(r"(\w+)\s*\(", signature)
    head = signature if re.search(r"^(?:async )?def ", signature, re.MULTILINE) else f"def {signature}"
    lines = str(problem["description"]).replace("\\", "\\\\").replace('"""', "'''").strip().splitlines()
    example = problem.get("example")
    if isinstance(example, dict) and name and "input" in example and "output" in example:
        given = str(example["input"]).strip()
        call = given if given.startswith(f"{name.group(1)}(") else f"{name.group(1)}({given})"
        lines += ["", f">>> {call}", str(example["output"]).strip()]
    body = "\n".join(f"    {line}".rstrip() for line in lines).strip()
    return f'{head}:\n    """{body}\n    """\n', str(problem.get("title", "")), str(problem.get("hint", ""))


def _imports(tree: ast.Module, function: ast.FunctionDef) -> str:
    """Returns the missing imports that `typing` can give. Raises UnusableProblem on any other unknown name."""
    known = {alias.asname or alias.name.split(".")[0] for node in tree.body for alias in getattr(node, "names", [])}
    known |= {node.name for node in tree.body if isinstance(node, ast.ClassDef)}
    targets = (target for node in tree.body for target in getattr(node, "targets", []))
    known |= {target.id for target in targets if isinstance(target, ast.Name)}
    arguments = [*function.args.posonlyargs, *function.args.args, *function.args.kwonlyargs]
    annotations = [a.annotation for a in arguments if a.annotation] + ([function.returns] if function.returns else [])
    names = {node.id for annotation in annotations for node in ast.walk(annotation) if isinstance(node, ast.Name)}
    missing = sorted(name for name in names - known if not hasattr(builtins, name))
    from_typing = [name for name in missing if name != "typing"]
    if unknown := [name for name in from_typing if name not in typing.__all__]:
        raise UnusableProblem(DropReason.UNKNOWN_TYPE, unknown[0])
    lines = ["import typing"] if "typing" in missing else []
    lines += [f"from typing import {', '.join(from_typing)}"] if from_typing else []
    return "\n".join(lines) + "\n\n\n" if lines else ""


def _example(prompt: str, function: ast.FunctionDef) -> TextExample | None:
    """Returns the first example. Raises UnusableProblem where it does not fit the signature."""
    examples = read_examples(prompt, function.name)
    if not examples:
        return None
    first = examples[0]
    positional = [*function.args.posonlyargs, *function.args.args]
    most = len(positional) if function.args.vararg is None else len(first.arguments)
    needed = len(positional) - len(function.args.defaults)
    given = len(first.arguments) + sum(any(k == a.arg for a in positional) for k, _ in first.keywords)
    if not needed <= given or len(first.arguments) > most:
        raise UnusableProblem(DropReason.EXAMPLE_MISFIT, first.call)
    return first
