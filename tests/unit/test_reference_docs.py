"""Holds the generated reference equal to the code, and every link and path of the documentation to an existing file."""

import re
from pathlib import Path

import pytest

from ucoder_development.reference_docs import FOLDER, pages

DOCS = FOLDER.parent
PAGES = [*DOCS.rglob("*.md"), DOCS.parent / "README.md", DOCS.parent / "helm" / "ucoder" / "README.md"]
FOLDERS = ("deploy", "docs", "helm", "protos", "services", "tests")
FILES = [f"/{path.relative_to(DOCS.parent)}" for folder in FOLDERS for path in (DOCS.parent / folder).rglob("*.*")]
"""The path of every file of the repository below its top level."""


@pytest.mark.parametrize(("name", "text"), pages().items())
def test_a_generated_page_says_what_the_code_says(name: str, text: str) -> None:
    assert (FOLDER / name).read_text() == text, "run `make docs`"


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(DOCS.parent)))
def test_every_link_leads_to_a_file(page: Path) -> None:
    text = re.sub(r"```.*?```", "", page.read_text(), flags=re.DOTALL)
    for target in re.findall(r"\]\(([^)#\s]+)(?:#[^)]*)?\)", text):
        if not re.match(r"https?:", target):
            assert (page.parent / target).exists(), target


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(DOCS.parent)))
def test_every_path_in_the_text_is_that_of_a_file(page: Path) -> None:
    """A page may leave out the first folders: `core/extraction.py`."""
    for path in re.findall(r"`([\w-]+(?:/[\w.-]+)+\.(?:py|js|sh|yaml|jinja|proto))`", page.read_text()):
        assert any(file.endswith(f"/{path}") for file in FILES), path
