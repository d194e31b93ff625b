"""What the commands share: how one is run and ended, and flags that several take."""

import asyncio
import signal
import sys
import threading
from collections.abc import Coroutine
from pathlib import Path
from typing import Annotated, Any

import typer

IsolationFlag = Annotated[str | None, typer.Option(help="runsc, bubblewrap, pod or none. Default: the best there is.")]
CellsFlag = Annotated[int | None, typer.Option(min=1, help="Cells side by side. Default: one per core.")]
PackagesFlag = Annotated[
    Path | None, typer.Option(help="Packages that programs may import, made by: pip install --target FOLDER numpy ...")
]
ConsensusFlag = Annotated[str | None, typer.Option(help="host:port of a ConsensusService. Default: one of its own.")]
TokenFlag = Annotated[Path | None, typer.Option(help="File with the token for --consensus.")]
JsonFlag = Annotated[bool, typer.Option("--json", help="Print JSON instead of a table.")]


def finish(work: Coroutine[Any, Any, None]) -> None:
    """Runs a command; an expected failure is one line and a code: 2 for the caller's, 1 for the world's."""
    from ucoder.errors import Reject, UcoderError

    try:
        asyncio.run(_ending(work))
    except UcoderError as error:
        print(f"ucoder: {error}", file=sys.stderr)
        raise SystemExit(2 if isinstance(error, Reject) else 1) from None
    except KeyboardInterrupt:
        raise SystemExit(130) from None
    except asyncio.CancelledError:
        raise SystemExit(143) from None


async def _ending(work: Coroutine[Any, Any, None]) -> None:
    """SIGTERM ends a command as Ctrl-C does: what it started and wrote aside goes with it."""
    task = asyncio.current_task()
    if task and threading.current_thread() is threading.main_thread():
        asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, task.cancel)
    await work
