"""Rows remembered by content: the same program on the same tests, limits and runtime is not run a second time."""

import hashlib
from collections import OrderedDict

from ucoder.core.outcomes import Outcome
from ucoder.sandbox_runner.sandbox_job import ProgramResult, SandboxJob

TEXT = 64 << 20


class RowCache:
    """The rows used last, at most `most` of them and `TEXT` characters of output. Platform failures are never
    remembered."""

    def __init__(self, most: int, version: str) -> None:
        self._most, self._version = most, version
        self._rows: OrderedDict[bytes, ProgramResult] = OrderedDict()
        self._text = 0

    def keys(self, job: SandboxJob) -> dict[str, bytes]:
        """The key of each distinct program of a job."""
        shared = hashlib.sha256(
            repr(
                (self._version, job.tests, job.entry_point, job.language, job.limits, job.check_determinism, job.mode)
            ).encode("utf-8", "surrogatepass")
        )
        found = {}
        for program in dict.fromkeys(job.programs):
            digest = shared.copy()
            digest.update(program.encode("utf-8", "surrogatepass"))
            found[program] = digest.digest()
        return found

    def find(self, key: bytes) -> ProgramResult | None:
        """The row remembered under a key."""
        if key in self._rows:
            self._rows.move_to_end(key)
        return self._rows.get(key)

    def keep(self, key: bytes, row: ProgramResult) -> None:
        """Remembers a row, and forgets the one unused for longest."""
        if self._most and Outcome.INFRA_ERROR not in row.outcomes:
            if known := self._rows.pop(key, None):
                self._text -= _size(known)
            self._rows[key] = row
            self._text += _size(row)
            while len(self._rows) > self._most or self._text > TEXT:
                self._text -= _size(self._rows.popitem(last=False)[1])


def _size(row: ProgramResult) -> int:
    return sum(len(output) for output in row.outputs if output)
