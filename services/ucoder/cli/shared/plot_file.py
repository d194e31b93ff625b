"""The file of a `--plot` flag: checked before the long work, and written atomically after it."""

from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

from ucoder.errors import Misconfigured
from ucoder.runtime.atomic import atomic_file

if TYPE_CHECKING:
    from matplotlib.figure import Figure

SUFFIXES = (".png", ".svg", ".pdf")


def check_plot_file(file: Path | None) -> None:
    """Raises Misconfigured where a plot is wanted and could not be written: wrong suffix, no folder, no matplotlib."""
    if file is None:
        return
    if file.suffix not in SUFFIXES:
        raise Misconfigured(f"--plot {file}: expected a name that ends in {', '.join(SUFFIXES)}.")
    if not file.parent.is_dir():
        raise Misconfigured(f"--plot {file}: the folder does not exist.")
    if not find_spec("matplotlib"):
        raise Misconfigured("--plot needs matplotlib: pip install 'ucoder[local]'.")


def save_plot(figure: "Figure", file: Path) -> None:
    """Writes a plot atomically. Raises Misconfigured when the folder cannot be written."""
    try:
        with atomic_file(file) as temporary:
            figure.savefig(temporary, format=file.suffix[1:], dpi=150)
    except OSError as error:
        raise Misconfigured(f"--plot {file}: {error.strerror}.") from None
