import pytest

from ucoder.core.extraction import continue_prompt, extract_program, normal_form, parse

PROMPT = 'import math\n\n\ndef area(r: float) -> float:\n    """Area of a circle."""\n'
BODY = "    return math.pi * r * r\n"


def test_a_body_continues_the_prompt() -> None:
    assert extract_program(BODY, PROMPT, "area") == PROMPT + BODY


@pytest.mark.parametrize(
    "more",
    [
        "\n\ndef other():\n    pass\n",
        "\nprint(area(1))\n",
        "\n# Test\nassert area(0) == 0\n",
        "\nclass A:\n    pass",
        "\nif __name__ ==",
        "\n```\nThis works.",
    ],
)
def test_a_body_ends_where_the_function_ends(more: str) -> None:
    assert extract_program(BODY + more, PROMPT, "area") == PROMPT + BODY


def test_column_0_inside_a_string_or_bracket_does_not_end_it() -> None:
    body = '    text = """\ncolumn 0\n"""\n    pair = (\n1, 2)\n    return r\n'
    assert continue_prompt(PROMPT, body + "\nprint(1)\n") == PROMPT + body


def test_a_comment_at_column_0_within_the_body_ends_it() -> None:
    assert continue_prompt(PROMPT, BODY + "# next task\n") == PROMPT + BODY


def test_a_body_cut_off_by_the_token_limit_stays_as_it_is() -> None:
    assert continue_prompt(PROMPT, "    return math.pi * (") == PROMPT + "    return math.pi * ("


@pytest.mark.parametrize(
    "fence",
    ["```python\n{}```", "```\n{}```", "~~~py\n{}~~~", "Sure!\n\n```python\n{}", "1. So:\n   ```Python\n{}   ```\n"],
)
def test_fences(fence: str) -> None:
    program = "def area(r):\n    return r\n"
    assert extract_program(fence.format(program), "", "area") == program


def test_the_last_whole_block_with_the_entry_point_wins() -> None:
    blocks = ["def f():\n    return 1", "def f():\n    return 2", "print(f())"]
    text = "better:\n".join(f"```python\n{block}\n```\n" for block in blocks)
    assert extract_program(text, "", "f") == "def f():\n    return 2\n"


def test_blocks_in_other_languages_are_passed_over() -> None:
    text = "```bash\npip install f\n```\n```python\ndef f():\n    return 2\n```"
    assert extract_program(text) == "def f():\n    return 2\n"


def test_code_inside_think_tags_is_no_program() -> None:
    text = "<think>\n```python\ndef f(): return 1\n```\n</think>\n```python\ndef f(): return 2\n```"
    assert extract_program(text, "", "f") == "def f(): return 2\n"


def test_a_restated_function_gets_the_prompts_imports() -> None:
    program = extract_program("```python\ndef area(r):\n    return math.pi\n```", PROMPT, "area")
    assert program == "import math\n\n\ndef area(r):\n    return math.pi\n"


def test_helpers_of_the_prompt_are_kept() -> None:
    prompt = "def helper():\n    return 1\n\n\ndef f():\n"
    assert extract_program("def f():\n    return helper()\n", prompt, "f") == (
        "def helper():\n    return 1\n\n\ndef f():\n    return helper()\n"
    )


def test_a_fenced_body_continues_the_prompt() -> None:
    assert extract_program(f"```python\n{BODY}```", PROMPT, "area") == PROMPT + BODY


def test_code_amid_prose_without_fences() -> None:
    text = "Here is the function:\n\ndef f(x):\n    return x\n\nIt returns x.\n"
    assert extract_program(text, "", "f") == "def f(x):\n    return x\n"


@pytest.mark.parametrize("text", ["", "no code at all here", "\0", "(" * 5000])
def test_nothing_found_gives_the_text(text: str) -> None:
    assert extract_program(text) == text


def test_a_megabyte_of_program_is_taken() -> None:
    program = "def f():\n    return 1\n" + f"TABLE = {'x' * 1_000_000!r}\n"
    assert len(program) > 1_000_000
    assert extract_program(program, "", "f") == program


def test_normal_form_ignores_layout_comments_and_docstrings_only() -> None:
    same = 'def f(x):\n    """Doc."""\n    return (x + 1)  # add\n'
    assert normal_form(same) == normal_form("def f(x):\n  return x+1")
    assert normal_form(same) != normal_form("def f(y):\n  return y+1")
    assert normal_form('def f():\n    """Only this."""\n') == normal_form("def f():\n    pass\n")
    assert normal_form("def (") == "def ("


def test_an_invalid_escape_in_a_candidate_gives_no_warning() -> None:
    assert parse(r"x = '\d'")


PROGRAMS = (
    "def area(r):\n    return r\n",
    'def area(r):\n    """Example:\n\n    ```\n    area(1)\n    ```\n    """\n    return r\n',
    "import math\n\n\ndef area(r):\n    text = '`~`'\n    return math.pi * r\n",
    "class Box:\n    pass\n\n\ndef area(r):\n    # ``` is no fence here\n    return [r]\n",
)
FORMS = (
    "{}",
    "```python\n{}```",
    "```\n{}```\nDone.\n",
    "````py\n{}````",
    "~~~python\n{}~~~\n",
    "```{{.python .numberLines}}\n{}```",
    "```python title=area.py\n{}```<|im_end|>",
    "Sure! ```python\n{}```\nThat is it.\n",
    "\ufeff```python\n{}```",
    "```python\n{}",
    "```bash\npip install x\n```\n```python\n{}```\n```\narea(1)\n```",
    "<think>\n```python\ndef area(r): return 0\n```\n</think>\n```python\n{}```",
    "A draft:\n```python\ndef area(r): return 0\n```\nNo.\n</think>\n\n{}",
    "[BEGIN]\n{}[DONE]\nMore words",
    "[PYTHON]\n{}[/PYTHON]",
)


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("line_end", ["\n", "\r\n"])
@pytest.mark.parametrize("program", PROGRAMS)
def test_a_program_comes_back_equal_from_every_form(program: str, line_end: str, form: str) -> None:
    answer = form.format(program).replace("\n", line_end)
    assert extract_program(answer, "", "area") == program


@pytest.mark.parametrize("program", PROGRAMS)
def test_a_program_comes_back_from_an_item_of_a_list(program: str) -> None:
    indented = "".join(f"   {line}" if line.strip() else line for line in program.splitlines(keepends=True))
    assert extract_program(f"1. First:\n\n   ```python\n{indented}   ```\n", "", "area") == program


def test_helpers_of_an_earlier_block_come_along() -> None:
    answer = "```python\ndef step():\n    return 1\n```\nThen:\n```python\ndef f(x):\n    return x + step()\n```\n"
    assert extract_program(answer, "", "f") == "def step():\n    return 1\n\n\ndef f(x):\n    return x + step()\n"


def test_imports_from_the_future_stay_first() -> None:
    answer = "```python\nfrom __future__ import annotations\n\n\ndef area(r: int) -> int:\n    return r\n```\n"
    program = extract_program(answer, PROMPT, "area")
    assert program.startswith("from __future__ import annotations\n")
    compile(program, "program", "exec")
