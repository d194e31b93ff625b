"""Pictures that a measurement leaves behind."""

from pathlib import Path

from matplotlib.figure import Figure

from ucoder.runtime.errors import Misconfigured


def check(file: Path) -> None:
    """Misconfigured where no picture could be written, so that it is said before a long measurement."""
    if file.suffix not in (".png", ".svg"):
        raise Misconfigured(f"--plot {file}: expected a name that ends in .png or .svg.")
    if not file.parent.is_dir():
        raise Misconfigured(f"--plot {file}: the folder does not exist.")


def save(figure: Figure, file: Path) -> None:
    """Writes a picture whole or not at all."""
    aside = file.with_name(file.name + ".partial")
    figure.savefig(aside, format=file.suffix[1:], dpi=150)
    aside.rename(file)
