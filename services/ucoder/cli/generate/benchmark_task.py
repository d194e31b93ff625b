"""Makes one task of a benchmark in HumanEval's format from a problem and its candidate programs."""

import ast
import re
import textwrap
from collections.abc import Mapping, Sequence

from ucoder.cli.generate.problem_lines import Line
from ucoder.core.extraction import parse
from ucoder.core.generated_tests import calls_of
from ucoder.core.input_synthesis import UnclearSignature, read_signature
from ucoder.core.input_synthesis.input_drawing import draw_calls
from ucoder.core.matrix import Matrix
from ucoder.core.outcomes import Outcome
from ucoder.core.selection import select
from ucoder.core.test_plans import Test
from ucoder.sandbox_runner.sandbox import Sandbox
from ucoder.sandbox_runner.sandbox_job import ProgramResult, SandboxJob


async def make_task(
    sandbox: Sandbox, line: Line, min_confidence: float, most_tests: int, least_tests: int, seed: int
) -> Line:
    """Returns `task`, or `left_out` with the reason.

    The reference is the program that the default strategy selects. A test is an input with what the reference returns
    on it, kept when the reference returns the same again with other hashes, time and random state.
    """
    if not line["entry_point"]:
        return {"left_out": "script"}  # HumanEval's format knows functions only
    name, prompt = line["entry_point"], line["prompt"]
    programs = [str(candidate["code"]) for candidate in line["candidates"]]
    inputs = _inputs(line, programs, most_tests, seed)
    if len(inputs) < least_tests:
        return {"left_out": "too_few_tests"}
    results = await _execute(sandbox, SandboxJob(tuple(programs), inputs, name))
    log_probs = [candidate["mean_log_prob"] for candidate in line["candidates"] if "mean_log_prob" in candidate]
    matrix = Matrix.build(
        [result.outcomes for result in results], [result.outputs for result in results], inputs,
        log_probs if len(log_probs) == len(programs) else None, programs,
    )  # fmt: skip
    chosen = select(matrix, min_confidence=min_confidence)
    if chosen.winner is None:
        return {"left_out": chosen.reason}
    body = _body(prompt, name, programs[chosen.winner])
    if body is None:
        return {"left_out": "other_signature"}
    calls = tuple(dict.fromkeys(calls_of([test.code for test in inputs], name)))
    twice = SandboxJob((prompt + body,), tuple(Test(call) for call in calls), name, check_determinism=True)
    [seen] = await _execute(sandbox, twice)
    asserts = [
        f"assert candidate{call[len(name) :]} == {output}"
        for call, outcome, output in zip(calls, seen.outcomes, seen.outputs, strict=True)
        if outcome is Outcome.RETURNED and output is not None and _is_literal(output)
    ][:most_tests]
    if len(asserts) < least_tests:
        return {"left_out": "too_few_tests"}
    task = {
        "task_id": line["id"],
        "prompt": _with_true_examples(prompt, dict(zip(calls, seen.outputs, strict=True))),
        "entry_point": name,
        "canonical_solution": body,
        "test": "def check(candidate):\n" + "".join(f"    {one}\n" for one in asserts),
        "confidence": round(chosen.confidence, 4),
        "share": round(chosen.clusters[0].share, 4),
        "candidates": len(programs),
    }
    own_asserts = tuple(Test(code=one.replace("candidate(", f"{name}(", 1)) for one in asserts)
    [verdict] = await _execute(sandbox, SandboxJob((task["prompt"] + body,), own_asserts, name))
    if set(verdict.outcomes) != {Outcome.PASSED}:
        return {"left_out": "reference_fails"}
    return {"task": task}


def _inputs(line: Line, programs: Sequence[str], wanted: int, seed: int) -> tuple[Test, ...]:
    """Returns the line's own tests, and calls drawn from the types up to the wanted number."""
    own = [Test(str(test["code"]), int(test.get("count", 1))) for test in line.get("tests", [])]
    known = calls_of([test.code for test in own], line["entry_point"])
    try:
        signature = read_signature(line["prompt"], programs, line["entry_point"])
    except UnclearSignature:
        return tuple(own)
    shown = list(dict.fromkeys([*known, *(example.call for example in signature.examples)]))
    calls = draw_calls(signature, shown, max(wanted, len(shown)), seed)
    return (*own, *(Test(call) for call in calls[len(known) :]))


def _with_true_examples(prompt: str, outputs: Mapping[str, str | None]) -> str:
    """Returns the prompt with the reference's output under each `>>>`, because a wrong example misleads readers."""

    def corrected(match: re.Match[str]) -> str:
        tree = parse(match["call"])
        output = outputs.get(ast.unparse(tree)) if tree else None
        return f"{match['indent']}>>> {match['call']}\n{match['indent']}{output or match['said']}"

    return re.sub(r"^(?P<indent>[ \t]*)>>> (?P<call>.+)\n[ \t]*(?P<said>.+)$", corrected, prompt, flags=re.MULTILINE)


async def _execute(sandbox: Sandbox, job: SandboxJob) -> list[ProgramResult]:
    """Returns the results in the order of the programs."""
    return sorted([result async for result in sandbox.execute(job)], key=lambda result: result.program)


def _body(prompt: str, entry_point: str, program: str) -> str | None:
    """Returns what follows the prompt so that both together are the program; None where the program's function takes
    other parameters.

    Imports and helpers beside the function go into the body, because harnesses cut a completion where its function
    ends.
    """
    if program.startswith(prompt):
        return program[len(prompt) :]
    whole, stated = parse(program), parse(f"{prompt}    pass\n")
    function, stated_function = (_function(tree, entry_point) for tree in (whole, stated))
    if whole is None or function is None or stated_function is None or function.decorator_list:
        return None
    if [a.arg for a in function.args.args] != [a.arg for a in stated_function.args.args]:
        return None
    body = function.body[1:] if ast.get_docstring(function) is not None else function.body
    beside = [node for node in whole.body if node is not function]
    text = textwrap.indent("\n".join(map(ast.unparse, [*beside, *body] or [ast.Pass()])), "    ") + "\n"
    return text if parse(prompt + text) else None  # `import *` is not allowed in a function


def _function(tree: ast.Module | None, name: str) -> ast.FunctionDef | None:
    """Returns the last function of that name in a module."""
    found = [node for node in tree.body if isinstance(node, ast.FunctionDef) and node.name == name] if tree else []
    return found[-1] if found else None


def _is_literal(output: str) -> bool:
    """Returns whether a canonical text is a Python literal that equals the value it stands for."""
    try:
        value = ast.literal_eval(output)
    except (ValueError, SyntaxError, RecursionError, MemoryError):
        return False
    return bool(value == value)  # NaN equals nothing, not even itself
