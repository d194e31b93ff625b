"""The cache of results by content: the same program on the same tests, limits and runtime does not run twice."""

import hashlib
from collections import OrderedDict

from ucoder.core.outcomes import Outcome
from ucoder.sandbox_runner.sandbox_job import ProgramResult, SandboxJob

MOST_CHARACTERS = 64 << 20


class ResultCache:
    """The results used last: at most `most` of them, with `MOST_CHARACTERS` of output. Infra errors are never kept."""

    def __init__(self, most: int, version: str) -> None:
        self._most, self._version = most, version
        self._results: OrderedDict[bytes, ProgramResult] = OrderedDict()
        self._characters = 0

    def keys(self, job: SandboxJob) -> dict[str, bytes]:
        """Returns the key of each distinct program of a job."""
        parts = self._version, job.tests, job.entry_point, job.language, job.limits, job.check_determinism, job.mode
        shared = hashlib.sha256(repr(parts).encode("utf-8", "surrogatepass"))
        keys = {}
        for program in dict.fromkeys(job.programs):
            digest = shared.copy()
            digest.update(program.encode("utf-8", "surrogatepass"))
            keys[program] = digest.digest()
        return keys

    def find(self, key: bytes) -> ProgramResult | None:
        """Returns the result kept under a key, if there is one."""
        if key in self._results:
            self._results.move_to_end(key)
        return self._results.get(key)

    def keep(self, key: bytes, result: ProgramResult) -> None:
        """Keeps a result, and drops those that were unused for longest where there is no room."""
        if self._most and Outcome.INFRA_ERROR not in result.outcomes:
            if known := self._results.pop(key, None):
                self._characters -= _characters(known)
            self._results[key] = result
            self._characters += _characters(result)
            while len(self._results) > self._most or self._characters > MOST_CHARACTERS:
                self._characters -= _characters(self._results.popitem(last=False)[1])


def _characters(result: ProgramResult) -> int:
    return sum(len(output) for output in result.outputs if output)
