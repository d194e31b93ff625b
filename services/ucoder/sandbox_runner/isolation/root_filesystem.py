"""The world inside a cell: a folder with one Python, the libraries it needs, our guest, and nothing else of this
machine.

Composed once from the running interpreter (no Docker, no download) and kept in the user's cache folder under a name
made of everything that went into it. A cluster's image is used as it is instead.
"""

import functools
import hashlib
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

import ucoder
from ucoder.errors import Misconfigured
from ucoder.sandbox_runner.isolation.boundary import NODE, PACKAGES, Root

LAYOUT = 4
"""Raised when what is composed changes."""
GUEST = "/guest"
"""Where our own files lie inside."""
_SKIPPED = (
    "site-packages", "test", "tests", "idlelib", "tkinter", "turtledemo", "ensurepip", "lib2to3", "distutils",
    "pydoc_data", "config-*", "__phello__",
)  # fmt: skip


def cache_folder() -> Path:
    """Where composed roots live: `$XDG_CACHE_HOME/ucoder` or `~/.cache/ucoder`."""
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "ucoder"


@functools.cache
def guest_files() -> dict[str, bytes]:
    """The files that run inside, by path; the text form of values is the very file that reads it outside."""
    package = Path(ucoder.__file__).parent
    found = [*package.glob("__init__.py"), *package.glob("core/__init__.py"), *package.glob("core/values/*.py")]
    found += [package / "sandbox_runner" / "__init__.py", *package.glob("sandbox_runner/guest/*.*")]
    return {
        str(Path("ucoder") / path.relative_to(package)): path.read_bytes() for path in sorted(found) if path.is_file()
    }


def compose(folder: Path | None = None, packages: Path | None = None) -> Root:
    """The root for this interpreter, made if it is not there yet. Safe to call from several processes at once.

    `packages`: what `pip install --target FOLDER` of the same interpreter made; a root that has the libraries these
    load is made for them. Raises Misconfigured when the folder is none of that kind.
    """
    library = Path(sys.base_prefix) / "lib" / f"python{sys.version_info.major}.{sys.version_info.minor}"
    python = f"/python/bin/python{sys.version_info.major}.{sys.version_info.minor}"
    node = Path(found).resolve() if (found := shutil.which("node")) else None
    changed = [path.stat().st_mtime_ns for path in (library, node) if path]
    installed = _installed(packages) if packages else ""
    identity = digest(f"{sys.version} {library} {node} {changed} {LAYOUT} {installed}".encode())
    home = folder or cache_folder()
    path = once(home / "roots" / identity, lambda draft: _fill(draft, library, python, node, packages))
    guest, version = _guest(home)
    return Root(path, guest, python, node, packages, f"{identity}-{version}", complete=not packages)


def given(folder: Path, packages: Path | None = None) -> Root:
    """An image's root as it is: with an empty folder /guest, and its Python at the path written in /guest.python.

    Its third-party packages lie in its folder /packages, or `packages` is shown there.
    """
    named = folder / "guest.python"
    guest, version = _guest(cache_folder())
    python = named.read_text().strip() if named.is_file() else "/usr/bin/python3"
    identity = digest(f"{folder.resolve()} {_installed(packages) if packages else ''}".encode())
    return Root(folder, guest, python, None, packages, f"{identity}-{version}")


def _installed(packages: Path) -> str:
    """What is in a folder of packages, by name and version."""
    found = sorted(path.name for path in packages.glob("*.dist-info"))
    if not found:
        raise Misconfigured(
            f"{packages} holds no packages; make it with: {Path(sys.base_prefix) / 'bin' / 'python3'} -m pip install "
            f"--target {packages} numpy ..."
        )
    return str(found)


def _guest(home: Path) -> tuple[Path, str]:
    """Our own files for the inside, in a folder of their own, and the name of this version of them."""
    version = digest(*(name.encode() + b"\0" + content for name, content in guest_files().items()))

    def fill(draft: Path) -> None:
        for name, content in guest_files().items():
            target = draft / name
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(content)

    return once(home / "guests" / version, fill), version


def digest(*parts: bytes) -> str:
    return hashlib.sha256(b"\0".join(parts)).hexdigest()[:16]


def once(path: Path, fill: Callable[[Path], None]) -> Path:
    """A folder that is either whole or not there, whoever else makes it at the same time."""
    if path.is_dir():
        return path
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = Path(tempfile.mkdtemp(dir=path.parent, prefix=".draft-"))
    try:
        fill(draft)
        draft.chmod(0o755)
        draft.rename(path)
    except OSError:
        if not path.is_dir():
            raise
    finally:
        shutil.rmtree(draft, ignore_errors=True)
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
    (draft / "etc" / "passwd").write_text("root:x:0:0::/:/bin/false\n")


def shared_libraries(*binaries: str) -> list[str]:
    """Absolute paths of the libraries that trusted binaries of this machine load."""
    listed = subprocess.run(["ldd", *binaries], capture_output=True, text=True, check=False).stdout
    words = (line.split() for line in listed.splitlines())
    found = {word for line in words for word in line if word.startswith("/") and not word.endswith(":")}
    return sorted(path for path in found if Path(path).is_file())


def python_command(root: Root, guest: str = GUEST) -> tuple[str, ...]:
    """The guest's first process. No site, no user folder, nothing from the environment but what the cell sets."""
    start = f"import sys; sys.path.insert(0, {guest!r}); from ucoder.sandbox_runner.guest.cell_main import main; main()"
    return (root.python, "-sSPBu", "-X", "utf8", "-c", start)


def environment(seed: int) -> dict[str, str]:
    """All that a cell's processes find in their environment. The seed decides string hashes, random numbers and
    time."""
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
