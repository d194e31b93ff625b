"""Reads what a request asks for: a program that can be judged by running it, or anything else.

Anything else goes to the model server as it is. So a wrong "no" costs a selection, and a wrong "yes" costs latency and
samples; where the text is ambiguous, the first answer decides.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from ucoder.core.input_synthesis import entry_point_of
from ucoder.core.script_problems import read_script_tests

Message = dict[str, Any]
_FENCE = re.compile(r"```[\w+-]*[^\n]*\n(.*?)(?:```|\Z)", re.DOTALL)
_SKELETON = re.compile(r"^[ \t]*(?:async[ \t]+)?def[ \t]+\w+[ \t]*\(", re.MULTILINE)
_VERB = (
    r"\b(?:write|implement|create|code|complete|generate|make|give|build|fix|correct|refactor|rewrite|optimi[sz]e|need"
    r"|define|finish|provide|solve|produce|return only|want|show me|improve|repair|debug|add|extend|change|modify"
    r"|schreibe?|implementiere|escribe|implementa|écris|ecris|scrivi|escreva|напиши|写|編写|编写|実装|书写)\b"
)
_THING = (
    r"\b(?:functions?|func|methods?|programs?|scripts?|solutions?|algorithms?|snippets?|helpers?|one-?liners?|def"
    r"|python code|code|lambda|funktion|función|funcion|fonction|funzione|função|функци\w*)\b|函数|関数|函式"
)
_ASKS = re.compile(rf"{_VERB}[^.?!\n]{{0,120}}?(?:{_THING})|(?:写|編写|编写)", re.IGNORECASE)
_TASK = re.compile(
    r"^\W*(?:complete|implement|finish|fill in|solve|fix|repair|write|return)\b|\bpython function\b"
    r"|\byour task is\b|\bconstraints?:|^class Solution\b|\bleetcode\b|\bexample 1\b",
    re.IGNORECASE | re.MULTILINE,
)
_EXPLAINS = re.compile(
    r"\b(?:explain|what (?:is|are|does|do|would|happens)|what's|why|how (?:does|do|is|are|can|would|should)|describe"
    r"|summari[sz]e|review|compare|difference between|translate|document|comment on|which (?:is|one|of)|tell me"
    r"|is (?:it|this|there)|should i|can you explain|walk me through|complexity of|name (?:the|three|some|a few)"
    r"|pros and cons|recommend|when (?:should|would|to))\b",
    re.IGNORECASE,
)
_OTHER_KINDS = re.compile(
    r"\b(?:in|using|with|as)\s+(?:an?\s+)?(?:javascript|typescript|java|c\+\+|cpp|c#|golang|go|rust|ruby|php|perl|sql"
    r"|bash|shell|swift|kotlin|haskell|scala|html|css|react|vba|matlab|r|lua|c)\b(?!\w)"
    r"|\b(?:sql query|shell script|bash script|regex(?:p|ular expression)?|dockerfile|html page|web ?page"
    r"|react component|poem|story|essay|email|e-mail|letter|haiku|joke|song|recipe|tweet|speech|plan|outline|blog)\b"
    r"|```(?:javascript|js|typescript|java|cpp|c|csharp|go|rust|ruby|php|sql|bash|sh|html|css)\b",
    re.IGNORECASE,
)
_CHANGES = re.compile(
    r"^\W*(?:now\b|also\b|please\b|can you\b|could you\b|and\b|but\b|great\b[,!.]?|thanks\b[,!.]?|ok(?:ay)?\b[,!.]?)*"
    r"[\s,!.]*(?:now\s+)?(?:make|change|modify|rewrite|extend|handle|add|fix|use|support|rename|it should|it must"
    r"|it fails|that fails|this fails|doesn't work|try again|improve|return|update|remove|do it|instead|simplify)\b"
    r"|\b(?:fails|failed|raises|wrong|incorrect)\b.*\b(?:for|with|on|when)\b|^assert |^>>> ",
    re.IGNORECASE | re.MULTILINE,
)
_PROSE_SIGNATURE = re.compile(
    r"(?:functions?|func|called|named|signature|method|implement|def|write|define|name(?:d)?:?)\W{1,4}(?:python\s+)?"
    r"(?:function\W{1,3})?(?:called\W{1,3}|named\W{1,3})?`?(?:def\s+)?([A-Za-z_]\w*)\s*"
    r"(\([^()\n]*(?:\[[^\]]*\][^()\n]*)*\)\s*(?:->\s*[\w\[\], .|]+)?)",
    re.IGNORECASE,
)
_PROSE_NAME = re.compile(
    r"\b(?:called|named|name it|function name(?: is)?:?|call it|function)\s+"
    r"[`'\"*]{0,2}([A-Za-z_]\w*)[`'\"*]{0,2}(?![\w(])",
    re.IGNORECASE,
)
_WORDS = frozenset(
    {*("a", "an", "the", "that", "which", "to", "for", "with", "in", "of", "and", "or", "is", "it", "this", "function")}
    | {"python", "takes", "taking", "returning", "returns", "given", "named", "called", "method", "class", "code"}
)


class Wish(StrEnum):
    """The kinds of wishes that a request may have."""

    PROGRAM = "program"
    """A program: candidates are sampled at once."""
    PERHAPS = "perhaps"
    """Perhaps a program: the first answer decides."""
    OTHER = "other"
    """Anything else."""


@dataclass(frozen=True, slots=True)
class Task:
    """The part of a request that the judgement needs."""

    wish: Wish
    prompt: str = ""
    """The text of the task; ends with the skeleton where there is one."""
    skeleton: str = ""
    """Code that answers may continue, when the request holds any."""
    entry_point: str = ""
    tests: list[str | tuple[str, str]] = field(default_factory=list)
    """Tests that the text itself shows: asserts, or the examples of a script."""


def text_of_content(content: Any) -> str:
    """Returns the text of a message's content, which may be a list of parts."""
    if isinstance(content, str):
        return content
    parts = content if isinstance(content, list) else []
    texts = [
        part.get("text")
        for part in parts
        if isinstance(part, dict) and part.get("type", "text") in ("text", "input_text")
    ]
    return "\n".join(text for text in texts if isinstance(text, str))


def read_chat(messages: Any) -> Task:
    """Returns the task of a chat."""
    if not isinstance(messages, list) or not all(isinstance(one, dict) for one in messages):
        return Task(Wish.OTHER)
    said = [(str(one.get("role")), text_of_content(one.get("content"))) for one in messages]
    asked = [text for role, text in said if role == "user"]
    if not asked or said[-1][0] not in ("user", "tool"):
        return Task(Wish.OTHER)
    last = asked[-1]
    earlier = "\n\n".join(text for role, text in said[:-1] if role in ("user", "assistant"))
    system = "\n".join(text for role, text in said if role in ("system", "developer"))
    wish = _wish(last, earlier, system)
    if wish is Wish.OTHER:
        return Task(wish)
    context = last if _SKELETON.search(last) or not _SKELETON.search(earlier) else f"{_last_code(earlier)}\n\n{last}"
    return _task(wish, context, last)


def read_prompt(prompt: str) -> Task:
    """Returns the task of a completion: code with an open function is a program to continue."""
    if not _SKELETON.search(prompt):
        return _task(Wish.PERHAPS, prompt, prompt) if _wish(prompt, "", "") is Wish.PROGRAM else Task(Wish.OTHER)
    return Task(Wish.PROGRAM, prompt, prompt, entry_point_of(prompt), _tests(prompt))


def _wish(last: str, earlier: str, system: str) -> Wish:
    prose = _FENCE.sub(" ", last)
    asks = bool(_ASKS.search(prose))
    explains = bool(_EXPLAINS.search(prose))
    has_skeleton = bool(_SKELETON.search(last)) or "class Solution" in last
    other = bool(_OTHER_KINDS.search(last)) and not re.search(r"\bpython\b", last, re.IGNORECASE)
    if other or re.search(
        r"\b(?:don't|do not|without)\s+(?:write|writing|show|any)\s*(?:any\s+)?code\b", prose, re.IGNORECASE
    ):
        return Wish.OTHER
    tests = re.search(r"^[ \t]*(?:assert |>>> )", last, re.MULTILINE)
    if has_skeleton:
        if explains and not asks:
            return Wish.OTHER
        return (
            Wish.PROGRAM
            if asks or _TASK.search(prose) or not prose.strip() or tests or _open_end(last)
            else Wish.PERHAPS
        )
    if explains and not re.search(rf"{_VERB}[^.?!\n]{{0,40}}?(?:{_THING})", prose, re.IGNORECASE):
        return Wish.OTHER
    if asks:
        return Wish.PERHAPS if explains else Wish.PROGRAM
    if tests or list(read_script_tests(last, (), 1)[0]):
        return Wish.PROGRAM
    if _SKELETON.search(earlier) and (_CHANGES.search(prose) or _FENCE.search(last)):
        return Wish.PROGRAM
    if _PROSE_SIGNATURE.search(prose) and not prose.rstrip().endswith("?"):
        return Wish.PROGRAM
    if re.search(r"\b(?:only|just)\b.{0,40}\b(?:code|program|function)\b", system, re.IGNORECASE) and not explains:
        return Wish.PERHAPS
    return Wish.OTHER


def _task(wish: Wish, context: str, last: str) -> Task:
    code = _last_code(context)
    name = entry_point_of(code) if code else ""
    prompt = context
    if not name:
        stated = [one for one in _PROSE_SIGNATURE.finditer(context) if one[1].lower() not in _WORDS]
        if stated:
            name = stated[-1][1]
            prompt = f"{context}\n\n" + _stub(name, stated[-1][2])
        elif named := [one[1] for one in _PROSE_NAME.finditer(last) if one[1].lower() not in _WORDS]:
            name = named[-1]
    return Task(wish, prompt, code, name, _tests(context))


def _last_code(text: str) -> str:
    """Returns the last piece of code with a function: a fenced block, or what begins at a column-0 definition."""
    blocks = [block for block in _FENCE.findall(text) if _SKELETON.search(block)]
    if blocks:
        return str(blocks[-1])
    start = re.search(r"^(?:from |import |(?:async )?def |class |@)", text, re.MULTILINE)
    return text[start.start() :] if start and _SKELETON.search(text[start.start() :]) else ""


def _stub(name: str, signature: str) -> str:
    """Returns a signature of the text as a definition. What does not parse is left to the reader of signatures."""
    returned = signature.strip().rstrip(".,;:")
    return f"def {name}{returned}:\n    pass\n"


def _tests(text: str) -> list[str | tuple[str, str]]:
    asserts = [line.strip() for line in text.splitlines() if re.match(r"\s*assert\s", line)]
    if asserts:
        return list(dict.fromkeys(asserts))
    if _SKELETON.search(text):
        return []
    examples = read_script_tests(text, (), 20)[0]
    return [(test.stdin or "", test.expected_stdout or "") for test in examples]


def _open_end(text: str) -> bool:
    """Returns whether the text ends with a signature or docstring, which asks for its body."""
    return text.rstrip().removesuffix("```").rstrip().endswith(('"""', "'''", ":", "pass", "..."))


def reconciled(programs: Sequence[str], names: Sequence[list[str]], wanted: str) -> tuple[str, list[str]]:
    """Returns the name that is called, and programs that all define it.

    `names` are the functions of each program. Without a wanted name it is the one that most programs define last. A
    program with one public function of another name gets an alias.
    """
    if not wanted:
        votes = [own[-1] for own in names if own]
        wanted = max(dict.fromkeys(votes), key=votes.count, default="")
    aliased = []
    for program, own in zip(programs, names, strict=True):
        public = [name for name in own if not name.startswith("_") and name not in ("main", "test", "solve_all")]
        if wanted and wanted not in own and public and not any(name.startswith("test") for name in public[-1:]):
            program = f"{program.rstrip()}\n\n{wanted} = {public[-1]}\n"
        aliased.append(program)
    return wanted, aliased
