"""Composes the content of the sandbox image in a folder: interpreter, node, their libraries, the guest; no shell.

The image build runs `python3 sandbox_root.py /root-of-image /path/to/node`. The code that composes the root of a local
sandbox cell makes the folder too, so the image holds nothing else.
"""

import shutil
import sys
from pathlib import Path

from ucoder.sandbox_runner.isolation import root_filesystem
from ucoder.sandbox_runner.isolation.boundary import PACKAGES


def main(target: Path, node: Path) -> None:
    """Makes the folder `target`, which must not exist, with files that any user may read."""
    packages = Path(PACKAGES)
    installed = packages if any(packages.iterdir()) else None
    root = root_filesystem.compose(target.parent / "composed", installed)
    shutil.copytree(root.path, target, symlinks=True)
    if installed:
        shutil.copytree(installed, target / PACKAGES.lstrip("/"), dirs_exist_ok=True)
    shutil.copytree(root.guest, target / root_filesystem.GUEST.lstrip("/"), dirs_exist_ok=True)
    shutil.copy2(Path(__file__).with_name("cell.py"), target / "cell.py")
    (target / "guest.python").write_text(root.python)  # for users of this image as the root of local cells
    (target / "python" / "bin" / "python3").symlink_to(Path(root.python).name)
    for folder in ("bin", "socket"):
        (target / folder).mkdir(exist_ok=True)
    shutil.copy2(node, target / "bin" / "node")
    for needed in root_filesystem.shared_libraries(str(node)):
        library = target / needed.lstrip("/")
        if not library.exists():
            library.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(needed, library)


main(Path(sys.argv[1]), Path(sys.argv[2]))
