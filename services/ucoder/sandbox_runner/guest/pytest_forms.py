"""The forms of pytest that test files use, for cells without pytest: raises, approx, marks, fixtures, skip and fail.

A stand-in for the module, after pytest's documentation; plugins and their markers do nothing. `plain_tests` runs the
functions.
"""

import contextlib
import importlib
import io
import math
import os
import pathlib
import re
import tempfile
import unittest
import warnings
from collections.abc import Callable, Iterator
from types import ModuleType, SimpleNamespace
from typing import Any

_MISSING = object()


def stand_in() -> ModuleType:
    """Returns a module `pytest` with the forms of this file."""
    module = ModuleType("pytest")
    module.__dict__.update(
        raises=raises, approx=approx, fixture=fixture, mark=_Marks(), param=param, warns=warns, skip=skip, fail=fail,
        importorskip=importorskip, MonkeyPatch=MonkeyPatch, deprecated_call=lambda: warns(DeprecationWarning),
    )  # fmt: skip
    return module


class raises(contextlib.AbstractContextManager[Any]):  # noqa: N801
    """`pytest.raises`: a context, or a call of a function with arguments."""

    def __new__(cls, kinds: Any, *call: Any, match: str | None = None, **named: Any) -> Any:
        context = super().__new__(cls)
        context.kinds, context.match, context.value, context.type = kinds, match, None, None
        if not call:
            return context
        with context:
            call[0](*call[1:], **named)
        return context

    def __init__(self, *_: Any, **__: Any) -> None:
        self.kinds: Any
        self.match: str | None
        self.value: BaseException | None
        self.type: type | None

    def __exit__(self, kind: Any, error: Any, trace: Any) -> bool:
        if kind is None:
            raise AssertionError(f"DID NOT RAISE {self.kinds}")
        if not issubclass(kind, self.kinds):
            return False
        self.value, self.type = error, kind
        if self.match is not None and not re.search(self.match, str(error)):
            raise AssertionError(f"{str(error)!r} does not match {self.match!r}")
        return True


class warns(warnings.catch_warnings):  # noqa: N801
    """`pytest.warns` as a context."""

    def __init__(self, kinds: Any = Warning, *, match: str | None = None) -> None:
        super().__init__(record=True)
        self.kinds, self.wanted = kinds, match

    def __enter__(self) -> Any:
        self.seen = super().__enter__()
        warnings.simplefilter("always")
        return self.seen

    def __exit__(self, *error: Any) -> None:
        super().__exit__(*error)
        if error[0] is None and not any(
            issubclass(one.category, self.kinds) and (not self.wanted or re.search(self.wanted, str(one.message)))
            for one in self.seen or ()
        ):
            raise AssertionError(f"DID NOT WARN {self.kinds}")


class approx:  # noqa: N801
    """`pytest.approx`: a number, or a list, tuple or dict of numbers, within a tolerance."""

    __hash__ = None  # type: ignore[assignment]

    def __init__(self, expected: Any, rel: float | None = None, abs: float | None = None, nan_ok: bool = False) -> None:
        self.expected, self.relative, self.absolute, self.nan_ok = expected, rel, abs, nan_ok

    def __eq__(self, actual: object) -> bool:
        return self._near(self.expected, actual)

    def __repr__(self) -> str:
        return f"approx({self.expected!r})"

    def _near(self, expected: Any, actual: Any) -> bool:
        if isinstance(expected, dict):
            return (
                isinstance(actual, dict)
                and expected.keys() == actual.keys()
                and all(self._near(expected[key], actual[key]) for key in expected)
            )
        if isinstance(expected, list | tuple):
            if isinstance(actual, str) or not hasattr(actual, "__len__") or len(actual) != len(expected):
                return False
            return all(map(self._near, expected, actual))
        if not isinstance(expected, int | float | complex) or isinstance(expected, bool):
            return bool(expected == actual)
        if not isinstance(actual, int | float | complex):
            return False
        if isinstance(expected, float) and math.isnan(expected):
            return self.nan_ok and isinstance(actual, float) and math.isnan(actual)
        if expected == actual:
            return True
        allowed = self.absolute if self.absolute is not None else 1e-12
        if self.relative is not None or self.absolute is None:
            allowed = max(allowed, (1e-6 if self.relative is None else self.relative) * abs(expected))
        return abs(expected - actual) <= allowed < math.inf


class _Marks:
    """`pytest.mark`: parametrize, skip, skipif and xfail are noted on the function; other marks do nothing."""

    def __getattr__(self, name: str) -> Any:
        def mark(*args: Any, **named: Any) -> Any:
            if name not in ("parametrize", "skip", "skipif", "xfail") and len(args) == 1 and callable(args[0]):
                return args[0]
            if name in ("skip", "xfail") and len(args) == 1 and callable(args[0]):
                return _noted(args[0], (name, (), {}))
            return lambda function: _noted(function, (name, args, named))

        return mark


def _noted(function: Any, mark: Any) -> Any:
    function.pytestmark = [*getattr(function, "pytestmark", []), mark]
    return function


def param(*values: Any, id: str | None = None, marks: Any = ()) -> Any:
    """`pytest.param`: the values of one case."""
    return SimpleNamespace(pytest_values=values)


def fixture(function: Any = None, **options: Any) -> Any:
    """`pytest.fixture`, with or without options."""
    if function is None:
        return lambda one: fixture(one, **options)
    function.pytest_fixture = options
    return function


def skip(reason: str = "", **_: Any) -> None:
    """`pytest.skip`."""
    raise unittest.SkipTest(reason)


def fail(reason: str = "", **_: Any) -> None:
    """`pytest.fail`."""
    raise AssertionError(reason)


def importorskip(name: str, **_: Any) -> Any:
    """`pytest.importorskip`."""
    try:
        return importlib.import_module(name)
    except ImportError:
        raise unittest.SkipTest(name) from None


class MonkeyPatch:
    """The fixture `monkeypatch`: changes that are undone after the test."""

    def __init__(self) -> None:
        self._undo = contextlib.ExitStack()

    def setattr(self, target: Any, name: Any, value: Any = _MISSING, raising: bool = True) -> None:
        """Changes an attribute of an object, or of what a dotted text names."""
        if value is _MISSING:
            path, _, attribute = target.rpartition(".")
            target, name, value = importlib.import_module(path), attribute, name
        before = getattr(target, name) if raising else getattr(target, name, _MISSING)
        if before is _MISSING:
            self._undo.callback(delattr, target, name)
        else:
            self._undo.callback(setattr, target, name, before)
        setattr(target, name, value)

    def setitem(self, target: Any, key: Any, value: Any) -> None:
        """Changes an item of a mapping."""
        before = target.get(key, _MISSING)
        self._undo.callback(
            target.pop if before is _MISSING else target.__setitem__, key, *[before][: before is not _MISSING]
        )
        target[key] = value

    def setenv(self, name: str, value: str) -> None:
        """Changes an environment variable."""
        self.setitem(os.environ, name, value)

    def delenv(self, name: str, raising: bool = True) -> None:
        """Removes an environment variable."""
        if name in os.environ:
            self._undo.callback(os.environ.__setitem__, name, os.environ.pop(name))
        elif raising:
            raise KeyError(name)

    def chdir(self, path: Any) -> None:
        """Changes the working folder."""
        self._undo.callback(os.chdir, os.getcwd())
        os.chdir(path)

    def undo(self) -> None:
        """Takes every change back."""
        self._undo.close()


def _capsys() -> Iterator[Any]:
    out, err = io.StringIO(), io.StringIO()

    def readouterr() -> Any:
        texts = SimpleNamespace(out=out.getvalue(), err=err.getvalue())
        for stream in (out, err):
            stream.seek(0)
            stream.truncate()
        return texts

    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        yield SimpleNamespace(readouterr=readouterr)


def _monkeypatch() -> Iterator[MonkeyPatch]:
    patch = MonkeyPatch()
    yield patch
    patch.undo()


FIXTURES: dict[str, Callable[[], Any]] = {
    "capsys": _capsys,
    "monkeypatch": _monkeypatch,
    "tmp_path": lambda: pathlib.Path(tempfile.mkdtemp(dir=os.getcwd())),
}
