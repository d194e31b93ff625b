"""The file of a `--plot` flag: looked at before the long work whose result is drawn into it, and written whole."""

from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

from ucoder.errors import Misconfigured
from ucoder.runtime.atomic import atomic_file

if TYPE_CHECKING:
    from matplotlib.figure import Figure

SUFFIXES = (".png", ".svg", ".pdf")


def check(file: Path | None) -> None:
    """Misconfigured where a picture is asked for and could not be written: the name, the folder, matplotlib."""
    if file is None:
        return
    if file.suffix not in SUFFIXES:
        raise Misconfigured(f"--plot {file}: expected a name that ends in {', '.join(SUFFIXES)}.")
    if not file.parent.is_dir():
        raise Misconfigured(f"--plot {file}: the folder does not exist.")
    if not find_spec("matplotlib"):
        raise Misconfigured("--plot needs matplotlib: pip install 'ucoder[local]'.")


def save(figure: "Figure", file: Path) -> None:
    """Writes a picture whole or not at all. Misconfigured: the folder takes no file."""
    try:
        with atomic_file(file) as temporary:
            figure.savefig(temporary, format=file.suffix[1:], dpi=150)
    except OSError as error:
        raise Misconfigured(f"--plot {file}: {error.strerror}.") from None
