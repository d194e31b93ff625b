"""Reads the answer of a chat model: what it thought, the marks that end it, and the Markdown blocks of code in it."""

import re
from collections.abc import Callable
from dataclasses import dataclass

_END = re.compile(
    r"(?:<\|(?:im_end|endoftext|end_of_text|eot_id|eom_id|end|EOT|eos|return)\|>|</s>|<end_of_turn>|<｜end▁of▁sentence｜>)"
    r"[ \t]*(?=\n|\Z)"
)
"""A token by which a chat model ends its turn, at the end of a line."""
_THOUGHT = re.compile(r"<(think|thinking|reasoning)>.*?(?:</\1>|\Z)", re.DOTALL)
_THOUGHT_END = re.compile(r"</(?:think|thinking|reasoning)>")
_BRACKETS = re.compile(
    r"^\[(?:BEGIN|PYTHON|CODE)\][ \t]*\n?(.*?)(?:^\[(?:DONE|END|/PYTHON|/CODE)\]|\Z)", re.DOTALL | re.MULTILINE
)
_DONE = re.compile(r"^\[DONE\].*", re.DOTALL | re.MULTILINE)
_BLANKS = " \t\u00a0"
_OPENING = re.compile(
    rf"^(?P<indent>[{_BLANKS}>]*(?:(?:[-*+]|\d+[.)])[ \t]+)?)(?P<words>[^`~\n]*\S[ \t]+)?"
    rf"(?P<fence>`{{3,}}|~{{3,}})[{_BLANKS}]*(?P<info>[^`\n]*)$"
)
"""A line that opens a block; words may stand before the fence."""
_PYTHON = frozenset({"", "py", "python", "python2", "python3"})


@dataclass(frozen=True, slots=True)
class CodeBlock:
    """One Markdown block."""

    is_python: bool
    """Its info string names Python or no language."""
    code: str


def answer_text(completion: str) -> str:
    """Returns the answer itself: with line feeds as line ends, without thoughts, up to the token that ends the turn.

    Thoughts may lack their opening tag, which some chat templates put into the prompt.
    """
    text = completion.removeprefix("\ufeff").replace("\r\n", "\n")
    if "</" in text or "<think" in text:
        text = _THOUGHT_END.split(_THOUGHT.sub("", text))[-1].lstrip("\n")
    if (end := _END.search(text)) and text[: end.start()].strip():
        text = text[: end.start()]
    if bracketed := _BRACKETS.search(text):
        return bracketed[1]
    return _DONE.sub("", text)


def code_blocks(text: str, parses: Callable[[str], bool]) -> list[CodeBlock]:
    """Returns the blocks of a text, in their order.

    A block of Python ends at the first closing fence before which it parses, because a docstring may hold fences of its
    own; where there is none, at the first closing fence, or at the end of the text.
    """
    lines, blocks, at = text.split("\n"), list[CodeBlock](), 0
    last = len(text.rstrip("\n").split("\n"))
    while at < len(lines):
        opening = _OPENING.match(lines[at])
        at += 1
        if not opening or (opening["words"] and at >= len(lines)):
            continue
        closings = [number for number in range(at, len(lines)) if _closes(lines[number], opening["fence"])]
        if not closings:  # a closing fence with words behind it
            closings = [at + n for n, line in enumerate(lines[at:]) if line.strip().startswith(opening["fence"] + " ")][
                :1
            ]
        is_python = _language(opening["info"]) in _PYTHON
        end = closings[0] if closings else last
        code = _content(lines[at:end], opening["indent"])
        if is_python and not parses(code):
            for other in [*closings[1:20], last]:
                longer = _content(lines[at:other], opening["indent"])
                if parses(longer):
                    end, code = other, longer
                    break
        blocks.append(CodeBlock(is_python, code))
        at = end + 1
    return blocks


def _closes(line: str, fence: str) -> bool:
    text = line.strip(_BLANKS + ">")
    return len(text) >= len(fence) and set(text) == {fence[0]}


def _language(info: str) -> str:
    """Returns the language of an info string: its first word, without braces, dots and versions."""
    words = info.strip().lstrip("{").lstrip(".").split()
    return re.split(r"[^\w+#-]", words[0].lower())[0] if words else ""


def _content(lines: list[str], indent: str) -> str:
    """Returns the lines of a block without the indentation that they share with its fence."""
    if indent and all(not line.strip() or line[: len(indent)].strip(_BLANKS + ">") == "" for line in lines):
        lines = [line[len(indent) :] for line in lines]
    return "".join(f"{line}\n" for line in lines)
