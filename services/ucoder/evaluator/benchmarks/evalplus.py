"""EvalPlus' JSONL, HumanEval+ and MBPP+: inputs, and a reference whose answers are the expected ones.

The reference runs in the judge, never beside the program. `evalplus_agreement` compares the answers. JSON has no
tuples, sets or complex numbers, so inputs get the types that the file's own assertions show for them.
"""

import ast
import inspect
import textwrap
from dataclasses import replace
from typing import Any

from ucoder.core.test_plans import Test
from ucoder.evaluator.benchmarks import evalplus_agreement, humaneval, mbpp
from ucoder.evaluator.benchmarks.humaneval import helpers_of
from ucoder.evaluator.benchmarks.mbpp import MBPP_STOP
from ucoder.evaluator.benchmarks.task import CODE_STOP, BenchmarkTask

CALLS = 10
"""Number of inputs of one test; the time limit counts for all of them."""
CPU_SECONDS = 10.0
"""Limit of one test; EvalPlus gives each input at least a second, and four times what the reference takes."""
MEMORY_MB = 4096


def task(entry: dict[str, Any]) -> BenchmarkTask:
    """Returns the task of one line; its tests hold the base inputs, then the plus inputs."""
    if "base_input" not in entry:
        return _hub_task(entry)
    name, prompt, solution = entry["entry_point"], entry["prompt"], entry["canonical_solution"]
    if not entry["base_input"] and not entry["plus_input"]:
        raise ValueError(f"task {entry['task_id']} has no inputs, so no program can be judged")
    shown = _literal_arguments(entry.get("assertion", ""), name)
    tests = []
    for inputs in (entry["base_input"], entry["plus_input"]):
        typed = [tuple(_argument(value, [one[at] for one in shown if at < len(one)], "cmath" in solution)
                       for at, value in enumerate(given)) for given in inputs]  # fmt: skip
        parts = [typed[at : at + CALLS] for at in range(0, len(typed), CALLS)]
        tests += [Test(code=_test(name, prompt + solution, part, entry["atol"])) for part in parts]
    code = f"def {name}" in prompt
    return BenchmarkTask(
        task_id=entry["task_id"], prompt=prompt, entry_point=name, tests=tuple(tests), canonical_solution=solution,
        stub=helpers_of(prompt, name), given=None if code else "", stop=CODE_STOP if code else MBPP_STOP,
        cpu_seconds=CPU_SECONDS, memory_mb=MEMORY_MB,
    )  # fmt: skip


def _hub_task(entry: dict[str, Any]) -> BenchmarkTask:
    """Returns the task of one line as the model hub has them: the columns of HumanEval or of MBPP, and a test file."""
    if "test_list" not in entry:
        one = humaneval.task(entry)
        return replace(one, cpu_seconds=CPU_SECONDS, memory_mb=MEMORY_MB, wall_seconds=0.0)
    one = mbpp.task(entry)
    tests = (Test(code=entry["test"]),)
    return replace(one, tests=tests, cpu_seconds=CPU_SECONDS, memory_mb=MEMORY_MB)


def _test(name: str, reference: str, inputs: list[tuple[Any, ...]], tolerance: float) -> str:
    """Returns the code of a test. It makes all calls first, so that the judge gets their results in one round trip."""
    rules = textwrap.dedent(inspect.getsource(evalplus_agreement)).partition('"""\n\n')[2]
    return f"""
{rules}
inf, nan = math.inf, math.nan
inputs = {inputs!r}
results = [{name}(*copy.deepcopy(given)) for given in inputs]
scope = {{}}
exec({reference!r}, scope)
for given, result in zip(inputs, results):
    assert agree({name!r}, given, result, scope[{name!r}](*copy.deepcopy(given)), {tolerance!r})
"""


def _literal_arguments(assertion: str, name: str) -> list[list[Any]]:
    """Returns the arguments of each call in the file's assertions whose arguments are all literals."""
    found = []
    for node in ast.walk(ast.parse(assertion)):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == name:
            try:
                found.append([_literal(argument) for argument in node.args])
            except (ValueError, TypeError):
                continue
    return found


def _literal(node: ast.expr) -> Any:
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "set" and not node.args:
        return set()
    return ast.literal_eval(node)


def _typed(value: Any, examples: list[Any], nested: bool = False) -> Any:
    """Returns a JSON value with the types that the examples have in its place.

    `nested`: lists that are deeper than any example become tuples, because the examples have tuples in tuples.
    """
    kinds = {type(example) for example in examples}
    if isinstance(value, list):
        inner = [item for example in examples if isinstance(example, list | tuple | set) for item in example]
        tuples = (tuple in kinds and list not in kinds) or (nested and not kinds & {list, tuple, set})
        deeper = tuples and (nested or any(isinstance(item, tuple) for item in inner))
        items = [_typed(item, inner, deeper) for item in value]
        return tuple(items) if tuples else set(items) if kinds & {set} and list not in kinds else items
    if isinstance(value, dict):
        inner = [item for example in examples if isinstance(example, dict) for item in example.values()]
        return {key: _typed(item, inner) for key, item in value.items()}
    return value


def _argument(value: Any, examples: list[Any], about_complex: bool) -> Any:
    return _complex_argument(value, set(map(type, examples))) if about_complex else _typed(value, examples)


def _complex_argument(value: Any, kinds: set[type]) -> Any:
    """Returns an argument of a task about complex numbers, which JSON holds as text."""
    if not isinstance(value, str):
        return value
    try:
        return complex(value) if complex in kinds else float(value)
    except ValueError:
        return complex(value)
