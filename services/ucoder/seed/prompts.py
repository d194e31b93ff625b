"""The seed profile's prompts, read from the very files the product renders."""

from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined

FOLDER = Path(__file__).parents[1] / "models" / "prompts" / "seed"
STAGES = ("problem", "rating", "skeleton", "tests", "solution")

_templates = Environment(loader=FileSystemLoader(FOLDER), undefined=StrictUndefined, autoescape=False)


def render(stage: str, **values: object) -> str:
    """The prompt of a stage; `problem` takes domain and difficulty, the others take problem."""
    return _templates.get_template(f"{stage}.jinja").render(**values)
