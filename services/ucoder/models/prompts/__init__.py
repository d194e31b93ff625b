"""Prompts and stop strings, as files: a folder per profile, a Jinja template per stage, stop strings in `profile.yaml`.

Every byte of a profile's files, comments included, is part of its version, which artefacts record.
"""

import hashlib
import re
from functools import cache
from pathlib import Path

import yaml
from jinja2 import Environment, FileSystemLoader, StrictUndefined, TemplateError

from ucoder.errors import Misconfigured

FOLDER = Path(__file__).parent
STAGES = ("problem", "rating", "skeleton", "tests", "solution", "benchmark")
_CONTROL_TOKEN = re.compile(r"<(?=[|\uff5c][^<>\s]{1,60}[|\uff5c]>)")
"""The `<` of a control token: <|im_end|>, <|endoftext|>, and DeepSeek's with their wide bars."""


class Prompts:
    """The prompts of one profile."""

    def __init__(self, folder: Path) -> None:
        """Reads a profile's folder. Raises Misconfigured naming the file that is missing or wrong."""
        files = sorted(file for file in folder.iterdir() if file.suffix in (".jinja", ".yaml"))
        content = b"\0".join(part for file in files for part in (file.name.encode(), file.read_bytes()))
        self.version = f"{folder.name}@{hashlib.sha256(content).hexdigest()[:12]}"
        """Name of the profile and hash of its files: equal versions give equal prompts."""
        jinja = Environment(
            loader=FileSystemLoader(folder), undefined=StrictUndefined, autoescape=False, finalize=_defused
        )
        try:
            self._templates = {stage: jinja.get_template(f"{stage}.jinja") for stage in STAGES}
            profile = yaml.safe_load((folder / "profile.yaml").read_text())
            self._stop = {stage: tuple(strings) for stage, strings in profile["stop"].items()}
        except (TemplateError, OSError, yaml.YAMLError, KeyError, AttributeError, TypeError) as error:
            raise Misconfigured(f"prompt profile {folder}: {type(error).__name__}: {error}.") from None
        if unknown := set(self._stop) - set(STAGES):
            raise Misconfigured(f"{folder / 'profile.yaml'}: stop names {min(unknown)}, which is no stage.")

    @classmethod
    @cache
    def load(cls, profile: str, *, script: bool = False) -> "Prompts":
        """Reads the profile of that name, or the one beside it for scripts that read stdin (`<profile>_scripts`).

        Raises Misconfigured naming the profiles that exist.
        """
        known = profiles()
        profile += "_scripts" if script else ""
        if profile not in known:
            raise Misconfigured(f"no prompt profile {profile!r}: there are {', '.join(known)}.")
        return cls(FOLDER / profile)

    def render(self, stage: str, **values: object) -> str:
        """Returns the prompt of a stage.

        `problem` takes domain and difficulty, every other stage takes problem; `tests` also takes kind; `benchmark`
        also takes question and opening, which are what an instruct model is asked and how its answer must begin. A
        space is put behind the `<` of a control token in a value, because a server would take it for the end of a turn
        or text. Raises jinja2.UndefinedError when a value is missing: that is a bug of the caller.
        """
        return self._templates[stage].render(**values)

    def stop(self, stage: str, default: tuple[str, ...] = ()) -> tuple[str, ...]:
        """Returns the strings that end a completion of this stage, besides the end-of-text token."""
        return self._stop.get(stage, default)


def profiles() -> tuple[str, ...]:
    """Returns the names of the profiles that exist."""
    return tuple(sorted(file.parent.name for file in FOLDER.glob("*/profile.yaml")))


def _defused(value: object) -> object:
    """Returns a value without control tokens, because values are untrusted texts of models and benchmarks."""
    return _CONTROL_TOKEN.sub("< ", value) if isinstance(value, str) else value
