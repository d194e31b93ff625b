"""Prints what pyproject.toml asks for: `requirements.py [EXTRA...]`, or `--build` for what builds the package.

An image installs these before the sources come, so that a change of the sources does not install them again.
"""

import sys
import tomllib
from pathlib import Path

project = tomllib.loads(Path(__file__).with_name("pyproject.toml").read_text())
if sys.argv[1:] == ["--build"]:
    print(*project["build-system"]["requires"], sep="\n")
else:
    print(*project["project"]["dependencies"], sep="\n")
    for extra in sys.argv[1:]:
        print(*project["project"]["optional-dependencies"][extra], sep="\n")
