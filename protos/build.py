"""Generates the Python code of `protos/` into `services/`.

`make protos` runs this file as a program. Hatchling calls `ProtoBuildHook` when it builds a wheel, an editable one
included. Both folders hold `ucoder/`, so the import paths that protoc writes need no rewriting.
"""

import sys
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent


def generate(root: Path = ROOT) -> None:
    """Runs protoc with its gRPC and mypy plugins on every file of `protos/ucoder/v1`.

    Raises SystemExit, after protoc has printed the reason, when a file does not compile.
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
    # An isolated build of pip installs the plugins next to its own interpreter, whose folder may not be on PATH.
    names = ("protoc-gen-mypy", "protoc-gen-mypy_grpc")
    arguments += [f"--plugin={name}={plugins / name}" for name in names if (plugins / name).exists()]
    if code := protoc.main([*arguments, *files]):
        raise SystemExit(code)
    (out / "ucoder" / "v1" / "__init__.py").touch()


try:
    from hatchling.builders.hooks.plugin.interface import BuildHookInterface
except ImportError:  # `make protos` runs this file as a program, and hatchling need not be installed then
    pass
else:

    class ProtoBuildHook(BuildHookInterface):  # type: ignore[type-arg]
        """Generates the code before hatchling collects the files of a wheel."""

        def initialize(self, version: str, build_data: dict[str, Any]) -> None:
            generate(Path(self.root))


if __name__ == "__main__":
    generate()
