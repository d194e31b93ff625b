"""`ucoder generate benchmark`: problems in HumanEval's format, with references and tests that execution agreed on."""

import ast
import re
import textwrap
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path

from ucoder.cli.execute import settings_of
from ucoder.cli.generate.problem_lines import Line, each, output, read, told
from ucoder.cli.shared.question_files import writing
from ucoder.core.extraction import parse
from ucoder.core.generated_tests import calls_of
from ucoder.core.input_synthesis import Unclear, read_signature
from ucoder.core.input_synthesis.input_drawing import draw_calls
from ucoder.core.matrix import Matrix
from ucoder.core.outcomes import Outcome
from ucoder.core.selection import select
from ucoder.core.test_plans import Test
from ucoder.errors import Misconfigured
from ucoder.sandbox_runner.host.sandbox import Sandbox
from ucoder.sandbox_runner.sandbox_job import ProgramResult, SandboxJob


async def main(
    candidates: Path, out: Path, *, min_confidence: float, tests: int, least: int, references: Path | None,
    seed: int, isolation: str | None,
) -> None:  # fmt: skip
    """Writes a task for each problem whose candidates agree well enough.

    The reference is the program that the default strategy selects; a test is an input with what the reference returns
    on it, kept when it returns the same again under other hashes, time and random state. `least`: fewer tests are no
    task.
    """
    lines = read(candidates)
    for line in lines:
        if not line.get("candidates"):
            raise Misconfigured(
                f"{candidates}: {line['id']} has no candidates; `ucoder generate solutions` makes them."
            )
    settings = settings_of(isolation, None)
    about = {
        "candidates": str(candidates),
        "min_confidence": min_confidence,
        "tests": tests,
        "least": least,
        "seed": seed,
    }
    with output(out, command="benchmark", **about) as file:
        async with Sandbox.open(isolation=settings.isolation, cells=settings.cells) as sandbox:

            async def one(line: Line) -> None:
                file.write({"id": line["id"], **await _task(sandbox, line, min_confidence, tests, least, seed)})

            await each("agreeing", [line for line in lines if line["id"] not in file.done], one)
        settled = [file.done[line["id"]] for line in lines]
        tasks = [line["task"] for line in settled if "task" in line]
        if not tasks:
            raise Misconfigured(f"no problem of {candidates} became a task: {_reasons(settled)}.")
        file.finish(tasks)
        if references:
            with writing(references) as write:
                for task in tasks:
                    write({"task_id": task["task_id"], "completion": task["canonical_solution"]})
        told(f"{len(tasks)} tasks of {len(lines)} problems in {out}; left out: {_reasons(settled) or 'none'}")


async def _task(sandbox: Sandbox, line: Line, min_confidence: float, tests: int, least: int, seed: int) -> Line:
    """`task`, or `left_out` with the reason."""
    if not line["entry_point"]:
        return {"left_out": "script"}  # HumanEval's format knows functions
    programs = [str(one["code"]) for one in line["candidates"]]
    cases = _cases(line, programs, tests, seed)
    if len(cases) < least:
        return {"left_out": "too_few_tests"}
    rows = await _rows(sandbox, SandboxJob(tuple(programs), cases, line["entry_point"]))
    log_probs = [one["mean_log_prob"] for one in line["candidates"] if "mean_log_prob" in one]
    matrix = Matrix.build(
        [row.outcomes for row in rows], [row.outputs for row in rows], cases,
        log_probs if len(log_probs) == len(programs) else None, programs,
    )  # fmt: skip
    chosen = select(matrix, min_confidence=min_confidence)
    if chosen.winner is None:
        return {"left_out": chosen.reason}
    reference = programs[chosen.winner]
    body = _body(line["prompt"], line["entry_point"], reference)
    if body is None:
        return {"left_out": "other_signature"}
    calls = tuple(dict.fromkeys(calls_of([case.code for case in cases], line["entry_point"])))
    [seen] = await _rows(sandbox, _twice(line["prompt"] + body, calls, line["entry_point"]))
    asserts = [
        f"assert candidate{call[len(line['entry_point']) :]} == {output}"
        for call, outcome, output in zip(calls, seen.outcomes, seen.outputs, strict=True)
        if outcome is Outcome.RETURNED and output is not None and _literal(output)
    ][:tests]
    if len(asserts) < least:
        return {"left_out": "too_few_tests"}
    check = "def check(candidate):\n" + "".join(f"    {one}\n" for one in asserts)
    task = {
        "task_id": line["id"],
        "prompt": _corrected(line["prompt"], dict(zip(calls, seen.outputs, strict=True))),
        "entry_point": line["entry_point"],
        "canonical_solution": body,
        "test": check,
        "confidence": round(chosen.confidence, 4),
        "share": round(chosen.clusters[0].share, 4),
        "candidates": len(programs),
    }
    judged = tuple(Test(code=one.replace("candidate(", f"{line['entry_point']}(", 1)) for one in asserts)
    [verdict] = await _rows(sandbox, SandboxJob((task["prompt"] + body,), judged, line["entry_point"]))
    if set(verdict.outcomes) != {Outcome.PASSED}:
        return {"left_out": "reference_fails"}
    return {"task": task}


def _cases(line: Line, programs: Sequence[str], wanted: int, seed: int) -> tuple[Test, ...]:
    """The line's own tests, and calls drawn from the types up to the number wanted."""
    own = [Test(str(test["code"]), int(test.get("count", 1))) for test in line.get("tests", [])]
    known = calls_of([test.code for test in own], line["entry_point"])
    try:
        signature = read_signature(line["prompt"], programs, line["entry_point"])
    except Unclear:
        return tuple(own)
    shown = list(dict.fromkeys([*known, *(example.call for example in signature.examples)]))
    calls = draw_calls(signature, shown, max(wanted, len(shown)), seed)
    return (*own, *(Test(call) for call in calls[len(known) :]))


def _corrected(prompt: str, outputs: Mapping[str, str | None]) -> str:
    """The prompt with what the reference returns behind each `>>>`: an example that is wrong misleads whoever reads."""

    def replaced(match: re.Match[str]) -> str:
        tree = parse(match["call"])
        output = outputs.get(ast.unparse(tree)) if tree else None
        return f"{match['indent']}>>> {match['call']}\n{match['indent']}{output or match['said']}"

    return re.sub(r"^(?P<indent>[ \t]*)>>> (?P<call>.+)\n[ \t]*(?P<said>.+)$", replaced, prompt, flags=re.MULTILINE)


def _twice(program: str, calls: tuple[str, ...], entry_point: str) -> SandboxJob:
    return SandboxJob((program,), tuple(Test(call) for call in calls), entry_point, check_determinism=True)


async def _rows(sandbox: Sandbox, job: SandboxJob) -> list[ProgramResult]:
    return sorted([row async for row in sandbox.execute(job)], key=lambda row: row.program)


def _body(prompt: str, entry_point: str, program: str) -> str | None:
    """What follows the prompt so that both together are the program; None where its function takes other parameters.

    What a program that restates the function has beside it (imports, helpers) goes into the body: harnesses cut a
    completion where its function ends.
    """
    if program.startswith(prompt):
        return program[len(prompt) :]
    whole, asked = parse(program), parse(f"{prompt}    pass\n")
    ours, theirs = (_function(tree, entry_point) for tree in (whole, asked))
    if whole is None or ours is None or theirs is None or ours.decorator_list:
        return None
    if [a.arg for a in ours.args.args] != [a.arg for a in theirs.args.args]:
        return None
    body = ours.body[1:] if ast.get_docstring(ours) is not None else ours.body
    beside = [node for node in whole.body if node is not ours]
    text = textwrap.indent("\n".join(map(ast.unparse, [*beside, *body] or [ast.Pass()])), "    ") + "\n"
    return text if parse(prompt + text) else None  # `import *` cannot go into a function


def _function(tree: ast.Module | None, name: str) -> ast.FunctionDef | None:
    found = [node for node in tree.body if isinstance(node, ast.FunctionDef) and node.name == name] if tree else []
    return found[-1] if found else None


def _literal(output: str) -> bool:
    """Whether a canonical text is a Python literal that equals what it stands for."""
    try:
        value = ast.literal_eval(output)
    except (ValueError, SyntaxError, RecursionError, MemoryError):
        return False
    return bool(value == value)  # NaN equals nothing, itself included


def _reasons(settled: Sequence[Line]) -> str:
    counts = Counter(line["left_out"] for line in settled if "left_out" in line)
    return ", ".join(f"{reason} {count}" for reason, count in counts.most_common())
