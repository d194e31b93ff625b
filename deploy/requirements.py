"""Prints the requirements of the package: `requirements.py [EXTRA...]`, or `--build` for those of the build.

An image installs them before its sources are copied, so that a change of the sources does not install them again.
"""

import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path

pyproject = tomllib.loads(Path(__file__).with_name("pyproject.toml").read_text())
project = pyproject["project"]


def requirements_of(extra: str) -> Iterator[str]:
    """Yields the requirements of an extra. One that names another extra of ucoder is replaced by that extra's own."""
    for requirement in project["optional-dependencies"][extra]:
        if requirement.startswith("ucoder["):
            yield from requirements_of(requirement.removeprefix("ucoder[").removesuffix("]"))
        else:
            yield requirement


if sys.argv[1:] == ["--build"]:
    print(*pyproject["build-system"]["requires"], sep="\n")
else:
    print(*project["dependencies"], *(line for extra in sys.argv[1:] for line in requirements_of(extra)), sep="\n")
