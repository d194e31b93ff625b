"""Registers commands: one function, with typer's annotations, is the options, the help and the work of a command."""

import asyncio
import functools
import inspect
import signal
import sys
import threading
from collections.abc import Callable, Coroutine
from importlib import import_module
from typing import Any, TypeVar

import typer
from typer.core import TyperCommand, TyperGroup

from ucoder.errors import Reject, UcoderError

Function = TypeVar("Function", bound=Callable[..., Any])


def command(group: typer.Typer, name: str) -> Callable[[Function], Function]:
    """Returns a decorator that registers a function, mostly an `async` one, as a command and leaves it as it is.

    The first paragraph of the function's docstring describes the command in the list of its group.
    """

    def register(function: Function) -> Function:
        @functools.wraps(function)
        def run(**values: Any) -> None:
            run_command(lambda: function(**values))

        group.command(name)(run)
        return function

    return register


def lazy_command(group: typer.Typer, name: str, place: str, summary: str, panel: str | None = None) -> None:
    """Registers a command, or a group of commands, that is imported only when it is called.

    Its module can import at the top whatever it needs, and the list of commands is still shown at once.

    place: `module:function`, or `module:group`. summary: the first paragraph of its help. panel: its heading in the
    list.
    """

    class LazyCommand(TyperCommand):
        @functools.cached_property
        def loaded(self) -> TyperCommand | TyperGroup:
            module, _, attribute = place.partition(":")
            found, parent = getattr(import_module(module), attribute), typer.Typer(rich_markup_mode="markdown")
            if isinstance(found, typer.Typer):
                parent.add_typer(found, name=name)
            else:
                command(parent, name)(found)
            return typer.main.get_group(parent).commands[name]  # type: ignore[return-value]

        def make_context(self, *arguments: Any, **named: Any) -> Any:
            return self.loaded.make_context(*arguments, **named)

    group.command(name, cls=LazyCommand, help=summary, rich_help_panel=panel)(lambda: None)


def run_command(work: Callable[[], Any]) -> None:
    """Runs a command. Ends the program with code 2 where the caller must change something, with 1 where a later try
    may succeed, with 130 after Ctrl-C and with 143 after SIGTERM. An expected error is one line on standard error.
    """
    try:
        result = work()
        if inspect.iscoroutine(result):
            asyncio.run(_until_terminated(result))
    except UcoderError as error:
        print(f"ucoder: {error}", file=sys.stderr)
        raise SystemExit(2 if isinstance(error, Reject) else 1) from None
    except KeyboardInterrupt:
        raise SystemExit(130) from None
    except asyncio.CancelledError:
        raise SystemExit(143) from None


async def _until_terminated(work: Coroutine[Any, Any, None]) -> None:
    """Runs a command that SIGTERM cancels, so that it ends its processes and removes its temporary files."""
    task = asyncio.current_task()
    if task and threading.current_thread() is threading.main_thread():
        asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, task.cancel)
    await work
