"""A batch of one program that is run for its output: it keeps the output until the process has ended."""

import base64
import os
import time
from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass, field

from ucoder.core.fork_safety import OWN_FORK
from ucoder.errors import Retry
from ucoder.sandbox_runner.guest.cell_protocol import EXITED, NO_COMMAND, CellTest, Job
from ucoder.sandbox_runner.guest.run_watch import FIRST_FILE, MOST_FETCHED
from ucoder.sandbox_runner.host.batch import Batch
from ucoder.sandbox_runner.host.cell import CellResult, ForkEnd
from ucoder.sandbox_runner.host.program import Program
from ucoder.sandbox_runner.languages.commands import Command
from ucoder.sandbox_runner.run_job import ProcessEnd, RunJob


@dataclass(slots=True)
class RunBatch(Batch):
    """One process of a run: the program or its compiler. Made by `of`; `end` is set when it is done."""

    request: RunJob = field(kw_only=True)
    command: Command = field(kw_only=True)
    on_output: Callable[[int, bytes], None] | None = field(kw_only=True)
    """Gets the output as it appears. Its caller has seen what was received, so a lost cell cannot be hidden."""
    streams: dict[int, bytearray] = field(default_factory=lambda: defaultdict(bytearray))
    started: float = 0.0
    end: ProcessEnd | None = None

    @classmethod
    def of(cls, job: RunJob, command: Command, on_output: Callable[[int, bytes], None] | None) -> "RunBatch":
        """Returns the batch of one process."""
        program = Program(0, job.program, OWN_FORK, [CellTest("", "")])
        return cls([program], False, request=job, command=command, on_output=on_output)

    def job(self, number: int) -> Job:
        """Returns the run as a cell reads it, and forgets what an earlier attempt wrote."""
        if self.on_output and self.streams:
            raise Retry("the sandbox lost the program while it ran; run it again.")
        self.streams.clear()
        self.started = time.perf_counter()
        job, command = self.request, self.command
        return {
            "id": number,
            "interpreter": [] if command.limits_address_space else list(command.words),
            "most_reports": 1,
            "programs": [],
            "tests": [],
            "shared": False,
            "script": False,
            "seed": 0,
            "limits": {**job.limits.as_frame(), "cpu_seconds": job.limits.cpu_seconds * self.time_factor},
            "wish": {"most_bytes": job.limits.output_kb * 1024, "fetch": list(job.fetch)},
            "content": {
                "name": command.file,
                "program": job.program,
                "command": list(command.words),
                "args": list(job.args),
                "stdin": base64.b64encode(job.stdin).decode(),
                "files": {name: base64.b64encode(data).decode() for name, data in job.files.items()},
            },
        }

    def receive(self, stream: int, data: bytes) -> None:
        """Keeps a part of the output, up to one byte more than the limit."""
        most = self.request.limits.output_kb * 1024 if stream < FIRST_FILE else MOST_FETCHED
        if stream < FIRST_FILE + len(self.request.fetch) and len(self.streams[stream]) <= most:
            self.streams[stream] += data
            if stream < FIRST_FILE and self.on_output:
                self.on_output(stream, data)

    def finish(self, end: ForkEnd) -> list[Batch]:
        """Records how the process ended; `end` stays None when the cell has no such command."""
        self.programs[0].results = [CellResult("", "", 0.0)]
        if end.why == NO_COMMAND:
            return []
        exited = end.why == EXITED
        most = self.request.limits.output_kb * 1024
        fetched = {name: self.streams.get(number) for number, name in enumerate(self.request.fetch, FIRST_FILE)}
        files = {name: bytes(data) for name, data in fetched.items() if data is not None}
        self.end = ProcessEnd(
            ending="exited" if exited else end.why,
            exit_code=os.waitstatus_to_exitcode(end.status) if exited else None,
            stdout=bytes(self.streams[0][:most]),
            stderr=bytes(self.streams[1][:most]),
            stdout_cut=len(self.streams[0]) > most,
            stderr_cut=len(self.streams[1]) > most,
            seconds=time.perf_counter() - self.started,
            cpu_seconds=end.seconds,
            peak_memory_mb=end.peak_mb,
            files=files,
            files_cut=tuple(files)[-1:] if sum(map(len, files.values())) > MOST_FETCHED else (),
        )
        return []
