"""The root file system of a cell: a folder with one Python, the libraries it needs, the guest's files, and nothing else
of this machine.

It is composed once from the running interpreter (no Docker, no download) and kept in the user's cache folder under a
name that depends on everything in it. In a cluster the image is used as it is instead.
"""

import functools
import hashlib
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import ucoder
from ucoder.errors import Misconfigured
from ucoder.runtime.atomic import TemporaryFolder
from ucoder.sandbox_runner.isolation.boundary import NODE, PACKAGES, Root

LAYOUT = 5
"""To be increased whenever the code here composes something else."""
GUEST = "/guest"
"""The folder of the guest's files inside."""
_SKIPPED = (
    "site-packages", "test", "tests", "idlelib", "tkinter", "turtledemo", "ensurepip", "lib2to3", "distutils",
    "pydoc_data", "config-*", "__phello__",
)  # fmt: skip


def cache_folder() -> Path:
    """Returns the folder of composed roots: `$XDG_CACHE_HOME/ucoder` or `~/.cache/ucoder`."""
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "ucoder"


@functools.cache
def guest_files() -> dict[str, bytes]:
    """Returns the files that run inside, by path. `core/values` is among them, because both sides read and write values
    by the same code.
    """
    package = Path(ucoder.__file__).parent
    paths = [*package.glob("__init__.py"), *package.glob("core/__init__.py"), *package.glob("core/values/*.py")]
    paths += [package / "sandbox_runner" / "__init__.py", *package.glob("sandbox_runner/guest/**/*.py")]
    paths += package.glob("sandbox_runner/guest/*.js")
    return {str(path.relative_to(package.parent)): path.read_bytes() for path in sorted(paths) if path.is_file()}


def compose(folder: Path | None = None, packages: Path | None = None) -> Root:
    """Returns the root for this interpreter, made if there is none yet. Several processes may call this at once.

    `packages` is a folder that `pip install --target FOLDER` of the same interpreter made; the root then has the
    libraries that these packages load. Raises Misconfigured when the folder holds no packages.
    """
    packages = packages and packages.resolve()
    library = Path(sys.base_prefix) / "lib" / f"python{sys.version_info.major}.{sys.version_info.minor}"
    python = f"/python/bin/python{sys.version_info.major}.{sys.version_info.minor}"
    node = Path(command).resolve() if (command := shutil.which("node")) else None
    changed = [path.stat().st_mtime_ns for path in (library, node) if path]
    installed = _installed(packages) if packages else ""
    identity = digest(f"{sys.version} {library} {node} {changed} {LAYOUT} {installed}".encode())
    home = folder or cache_folder()
    path = create_once(home / "roots" / identity, lambda draft: _fill(draft, library, python, node, packages))
    guest, version = _copy_guest(home)
    return Root(path, guest, python, node, packages, f"{identity}-{version}", complete=not packages)


def of_image(folder: Path, packages: Path | None = None) -> Root:
    """Returns an image's root as it is: with an empty folder /guest, and its Python at the path written in
    /guest.python.

    Its third-party packages are in its folder /packages, or `packages` is shown there.
    """
    packages = packages and packages.resolve()
    python_file = folder / "guest.python"
    guest, version = _copy_guest(cache_folder())
    python = python_file.read_text().strip() if python_file.is_file() else "/usr/bin/python3"
    identity = digest(f"{folder.resolve()} {_installed(packages) if packages else ''}".encode())
    return Root(folder, guest, python, None, packages, f"{identity}-{version}")


def _installed(packages: Path) -> str:
    """Returns the names and versions in a folder of packages."""
    names = sorted(path.name for path in packages.glob("*.dist-info"))
    if not names:
        raise Misconfigured(
            f"{packages} holds no packages; make it with: {Path(sys.base_prefix) / 'bin' / 'python3'} -m pip install "
            f"--target {packages} numpy ..."
        )
    return str(names)


def _copy_guest(home: Path) -> tuple[Path, str]:
    """Returns a folder with a copy of the guest's files, and the name of this version of them."""
    version = digest(*(name.encode() + b"\0" + content for name, content in guest_files().items()))

    def fill(draft: Path) -> None:
        for name, content in guest_files().items():
            target = draft / name
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(content)

    return create_once(home / "guests" / version, fill), version


def digest(*parts: bytes) -> str:
    """Returns a short name for contents."""
    return hashlib.sha256(b"\0".join(parts)).hexdigest()[:16]


def create_once(path: Path, fill: Callable[[Path], object]) -> Path:
    """Returns a folder that is either complete or absent, whoever else makes it at the same time."""
    if path.is_dir():
        return path
    with TemporaryFolder(str(path.parent / ".partial")).new_path() as name:
        draft = Path(name)
        draft.mkdir()
        fill(draft)
        draft.chmod(0o755)
        try:
            draft.rename(path)
        except OSError:
            if not path.is_dir():
                raise
    return path


def _fill(draft: Path, library: Path, python: str, node: Path | None, packages: Path | None) -> None:
    inner = draft / "python" / "lib" / library.name
    shutil.copytree(library, inner, ignore=shutil.ignore_patterns(*_SKIPPED), symlinks=True)
    binary = draft / python.lstrip("/")
    binary.parent.mkdir(parents=True)
    shutil.copy2(Path(sys.base_prefix) / "bin" / Path(python).name, binary)
    modules = [str(path) for path in inner.glob("lib-dynload/*.so")]
    modules += [str(path) for path in packages.rglob("*.so*")] if packages else []
    for needed in shared_libraries(str(binary), *modules, *([str(node)] if node else [])):
        if packages and Path(needed).is_relative_to(packages):
            continue
        target = draft / needed.lstrip("/")
        if needed.startswith(str(sys.base_prefix)):
            target = draft / "python" / "lib" / Path(needed).name
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(needed, target)
    (draft / "bin").mkdir()
    (draft / NODE.lstrip("/")).touch()
    for name in ("tmp", "proc", "sys", "dev", "etc", "guest", PACKAGES.lstrip("/")):
        (draft / name).mkdir()
    (draft / "mnt").symlink_to("tmp/mnt")  # a run program may use absolute paths below it
    (draft / "etc" / "passwd").write_text("root:x:0:0::/:/bin/false\n")


def shared_libraries(*binaries: str) -> list[str]:
    """Returns the absolute paths of the libraries that trusted binaries of this machine load."""
    output = subprocess.run(["ldd", *binaries], capture_output=True, text=True, check=False).stdout
    paths = {word for word in output.split() if word.startswith("/") and not word.endswith(":")}
    return sorted(path for path in paths if Path(path).is_file())


def python_command(root: Root, guest: str = GUEST) -> tuple[str, ...]:
    """Returns the command of a cell's first process: no site module, no user folder, no bytecode files."""
    start = f"import sys; sys.path.insert(0, {guest!r}); from ucoder.sandbox_runner.guest.cell_main import main; main()"
    return (root.python, "-sSPBu", "-X", "utf8", "-c", start)


def environment(seed: int) -> dict[str, str]:
    """Returns the whole environment of a cell's processes. The seed decides string hashes, random numbers and time."""
    return {
        "PATH": "/usr/bin:/bin",
        "HOME": "/tmp",
        "PYTHONHASHSEED": str(seed),
        "LD_LIBRARY_PATH": "/python/lib",
        "OMP_NUM_THREADS": "1",
        "MPLBACKEND": "Agg",
        "PACKAGES": PACKAGES,
        "TZ": "UTC",
    }
