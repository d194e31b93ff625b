"""Generates the Python code of `protos/` into `services/`, for `make protos` and for the package build alike.

`protos/` and `services/` both hold `ucoder/`, so the import paths that protoc writes are right as they are.
Run as a program it generates and exits; hatchling calls `ProtoBuildHook` for every wheel, editable ones included.
"""

import sys
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent


def generate(root: Path = ROOT) -> None:
    """Runs protoc with the gRPC and the mypy plugins over every file of `protos/ucoder/v1`.

    Raises SystemExit with protoc's own message when a file does not compile.
    """
    import grpc_tools
    from grpc_tools import protoc

    out = root / "services"
    files = sorted(str(p.relative_to(root / "protos")) for p in (root / "protos").rglob("*.proto"))
    plugins = Path(sys.executable).parent
    arguments = [
        "protoc",
        f"--proto_path={root / 'protos'}",
        f"--proto_path={Path(grpc_tools.__file__).parent / '_proto'}",
        f"--python_out={out}",
        f"--grpc_python_out={out}",
        f"--mypy_out=quiet:{out}",
        f"--mypy_grpc_out=quiet:{out}",
    ]
    # pip's isolated builds put the plugins beside that build's own interpreter, which may not be on PATH.
    names = ("protoc-gen-mypy", "protoc-gen-mypy_grpc")
    arguments += [f"--plugin={name}={plugins / name}" for name in names if (plugins / name).exists()]
    if code := protoc.main([*arguments, *files]):
        raise SystemExit(code)
    (out / "ucoder" / "v1" / "__init__.py").touch()


try:
    from hatchling.builders.hooks.plugin.interface import BuildHookInterface
except ImportError:  # run as a program by `make protos`, where hatchling need not be installed
    pass
else:

    class ProtoBuildHook(BuildHookInterface):  # type: ignore[type-arg]
        """Lets hatchling generate the code before it collects files."""

        def initialize(self, version: str, build_data: dict[str, Any]) -> None:
            generate(Path(self.root))


if __name__ == "__main__":
    generate()
