"""Prompts are files: a folder per profile, a Jinja template per stage, and `profile.yaml` with its stop strings."""

import hashlib
import re
from functools import cache
from pathlib import Path

import yaml
from jinja2 import Environment, FileSystemLoader, StrictUndefined, TemplateError

from ucoder.errors import Misconfigured

FOLDER = Path(__file__).parent
STAGES = ("problem", "rating", "skeleton", "tests", "solution", "benchmark")
_CONTROL = re.compile(r"<(?=[|\uff5c][^<>\s]{1,60}[|\uff5c]>)")
"""Where a control token begins: <|im_end|>, <|endoftext|>, and DeepSeek's with their wide bars."""


class Prompts:
    """The prompts of one profile."""

    def __init__(self, folder: Path) -> None:
        """Reads a profile's folder. Raises Misconfigured naming the file that is missing or wrong."""
        files = sorted(file for file in folder.iterdir() if file.suffix in (".jinja", ".yaml"))
        content = b"\0".join(part for file in files for part in (file.name.encode(), file.read_bytes()))
        self.version = f"{folder.name}@{hashlib.sha256(content).hexdigest()[:12]}"
        """Profile and hash of its files: equal versions ask the same."""
        jinja = Environment(
            loader=FileSystemLoader(folder), undefined=StrictUndefined, autoescape=False, finalize=_tamed
        )
        try:
            self._templates = {stage: jinja.get_template(f"{stage}.jinja") for stage in STAGES}
            self._stop = {stage: tuple(strings) for stage, strings in _profile(folder)["stop"].items()}
        except (TemplateError, OSError, yaml.YAMLError, KeyError, AttributeError, TypeError) as error:
            raise Misconfigured(f"prompt profile {folder}: {type(error).__name__}: {error}.") from None
        if unknown := set(self._stop) - set(STAGES):
            raise Misconfigured(f"{folder / 'profile.yaml'}: stop names {min(unknown)}, which is no stage.")

    @classmethod
    @cache
    def load(cls, profile: str, *, script: bool = False) -> "Prompts":
        """The profile of that name, or the one for scripts beside it (`<profile>_scripts`).

        Raises Misconfigured naming those there are.
        """
        known = profiles()
        profile += "_scripts" if script else ""
        if profile not in known:
            raise Misconfigured(f"no prompt profile {profile!r}: there are {', '.join(known)}.")
        return cls(FOLDER / profile)

    def render(self, stage: str, **values: object) -> str:
        """The prompt of a stage: `problem` takes domain and difficulty, every other stage problem, `tests` also kind,
        `benchmark` also question and opening: what an instruct model is asked, and made to begin with.

        A control token in a value (a server would take it for the end of a turn, or of the text) is no longer one in
        the prompt: a space follows its `<`. Raises jinja2.UndefinedError when a value is missing: that is a bug of the
        caller.
        """
        return self._templates[stage].render(**values)

    def stop(self, stage: str, default: tuple[str, ...] = ()) -> tuple[str, ...]:
        """The strings that end a completion of this stage, besides the end-of-text token."""
        return self._stop.get(stage, default)


def _tamed(value: object) -> object:
    """Values come from models and benchmarks; only the template itself may write control tokens."""
    return _CONTROL.sub("< ", value) if isinstance(value, str) else value


def profiles() -> tuple[str, ...]:
    """The names of the profiles there are."""
    return tuple(sorted(file.parent.name for file in FOLDER.glob("*/profile.yaml")))


def _profile(folder: Path) -> dict[str, dict[str, list[str]]]:
    return yaml.safe_load((folder / "profile.yaml").read_text())  # type: ignore[no-any-return]
