"""Tests of the measurement of processor waits, by the kernel's own counts."""

import os
import subprocess
import sys
import time

from ucoder.sandbox_runner.host.machine_load import ProcessorWait


def test_processes_that_share_a_core_wait_and_one_that_sleeps_does_not() -> None:
    core = min(os.sched_getaffinity(0))
    spin = f"import os\nos.sched_setaffinity(0, {{{core}}})\nprint(flush=True)\nwhile True: pass"
    sleep = "import time\nprint(flush=True)\ntime.sleep(60)"
    started = [
        subprocess.Popen([sys.executable, "-I", "-c", code], stdout=subprocess.PIPE) for code in (spin, spin, sleep)
    ]
    try:
        for process in started:
            assert process.stdout is not None
            process.stdout.readline()
        waits = [ProcessorWait(process.pid) for process in started]
        time.sleep(1.0)
        first, second, sleeper = [wait.read() for wait in waits]
        assert first + second > 0.5  # of one second: two processes wanted the core, and one could have it
        assert sleeper < 0.1
    finally:
        for process in started:
            process.kill()
            process.communicate()
