"""Checks the words of the project, as far as a machine can: `python tests/plain_english.py [FILE or FOLDER ...]`.

Docstrings are sentences, functions begin with a third-person verb, each class and module name stands for one thing, and
metaphors that a newcomer would have to decode are banned. `make lint` runs it over everything that git tracks.
"""

import ast
import re
import subprocess
import sys
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parents[1]
PACKAGES = ("services/ucoder/", "tests/development/")
FRAGMENT = re.compile(
    r"(Of|By|Before|After|Beside|For|In|On|With|Without|Where|What|Whether|Who|To|From|Under|Out|As|How|Nobody|Nothing"
    r"|When|While|Until|At|Into|Through|Which|Why|Over|Between|All)\b"
)
NO_VERB = {
    "Always", "Arguments", "Arrays", "Attempts", "Bits", "Bytes", "Candidates", "Cells", "Characters",
    "Checkpoints", "Classes", "Clusters", "Completions", "Counts", "Dictionaries", "Domains", "Errors", "Examples",
    "Fields", "Files", "Inputs", "Its", "Keys", "Less", "Lines", "Messages", "Names", "Objects", "Outcomes",
    "Pairs", "Parameters", "Paths", "Plus", "Points", "Problems", "Programs", "Ranks", "Results", "Rows", "Samples",
    "Scores", "Seconds", "Sets", "Statistics", "Steps", "Tasks", "Tests", "Texts", "This", "Tokens", "Values",
    "Words",
}  # fmt: skip
"""Words that end in `s` but are nouns, or may be taken for nouns, at the start of a docstring."""
BANNED = {
    "unwell": "transient failure, or permanent failure",
    "tame": "fork-safe",
    "warden": "orphan cleanup",
    "company": "process group",
    "lifeline": "parent-death signal",
    "yardstick": "baseline",
    "honest": "correct, real, or the exact property that is meant",
    "honestly": "exactly",
    "honesty": "calibration",
    "tends": "watches",
    "tended": "watched",
    "tending": "watching",
    "doorkeeper": "the name of what it checks",
    "kin": "similar servers",
    "vouches": "untrusted",
    "crumbs": "small files",
    "eaten": "consumed",
    "eats": "consumes",
}
"""Metaphors, each with what to write instead."""
DOCUMENTED = ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef
PROSE = (".md", ".yaml", ".tpl", ".jinja", ".sh", ".proto", ".toml")
EXEMPT = ("tests/plain_english.py", "docs/CHANGELOG.md", "services/ucoder/models/prompts/", "LICENSE")
"""This list itself, the old names in the change log, and texts that a model reads."""


def main(arguments: list[str]) -> int:
    """Prints each fault as `file:line what`; returns 1 when there is one."""
    chosen = [Path(argument).resolve() for argument in arguments] or [ROOT]
    listed = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT, capture_output=True, text=True, check=True,
    ).stdout.split()  # fmt: skip
    files = [ROOT / name for name in listed if (ROOT / name).is_file()]
    wanted = [file for file in files if any(file == one or one in file.parents for one in chosen)]
    faults = [fault for file in wanted for fault in faults_of(file)]
    if not arguments:
        faults += names_used_twice([file for file in files if file.suffix == ".py"])
    print("\n".join(faults) or "plain English: no fault found")
    return bool(faults)


def faults_of(file: Path) -> Iterator[str]:
    """Yields the faults of one file's docstrings and words."""
    name = str(file.relative_to(ROOT))
    if name.startswith(EXEMPT) or file.suffix not in (".py", *PROSE):
        return
    text = file.read_text()
    for number, line in enumerate(text.splitlines(), 1):
        for word in re.findall(r"[A-Za-z]+", line):
            if word.lower() in BANNED:
                yield f"{name}:{number} {word!r}: write {BANNED[word.lower()]}"
    if file.suffix == ".py":
        for node in ast.walk(ast.parse(text)):
            if isinstance(node, DOCUMENTED) and (fault := fault_of_docstring(node)):
                yield f"{name}:{getattr(node, 'lineno', 1)} {fault}"


def fault_of_docstring(node: DOCUMENTED) -> str:
    """Returns the fault of one docstring, or the empty text where it is a sentence or absent."""
    docstring = ast.get_docstring(node)
    if docstring is None:
        return ""
    first = docstring.partition("\n\n")[0].strip()
    shown = first.partition("\n")[0][:70]
    if not re.match(r"[A-Z`\"'0-9(]", first):
        return f"docstring begins in lower case: {shown}"
    if not first.endswith((".", "!", "?", ":", "`")):
        return f"docstring's first paragraph is no sentence with a full stop: {shown}"
    if FRAGMENT.match(first):
        return f"docstring begins with a fragment: {shown}"
    function = isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
    if function and not is_property(node) and not node.name.startswith("test_"):
        verb = re.match(r"[A-Za-z]+", first)
        if verb and (not verb[0].endswith("s") or verb[0] in NO_VERB):
            return f"function's docstring does not begin with a third-person verb: {shown}"
    return ""


def is_property(node: ast.AST) -> bool:
    """Returns whether a function is read as an attribute or given to pytest by name, so that a noun describes it."""
    marks = {ast.unparse(decorator).partition("(")[0] for decorator in getattr(node, "decorator_list", [])}
    return bool(marks & {"property", "cached_property", "functools.cached_property", "pytest.fixture"})


def names_used_twice(files: list[Path]) -> Iterator[str]:
    """Yields module and class names of our packages that stand for two things."""
    modules, classes = defaultdict(list), defaultdict(list)
    for file in files:
        name = str(file.relative_to(ROOT))
        if not name.startswith(PACKAGES):
            continue
        if file.stem not in ("__init__", "__main__", "service"):  # each service has one `service.py`
            modules[file.stem].append(name)
        for node in ast.walk(ast.parse(file.read_text())):
            if isinstance(node, ast.ClassDef) and node.name != "Service":
                classes[node.name].append(name)
    for kind, found in (("module", modules), ("class", classes)):
        for key, places in sorted(found.items()):
            if len(places) > 1:
                yield f"{kind} name {key!r} is used by {', '.join(places)}"


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
