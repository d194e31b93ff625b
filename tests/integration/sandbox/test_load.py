"""How loaded the machine is, told by the kernel's own counts."""

import os
import subprocess
import sys
import time

from ucoder.sandbox_runner.host.machine_load import Waiting


def test_processes_that_share_a_core_wait_and_one_that_sleeps_does_not() -> None:
    core = min(os.sched_getaffinity(0))
    spin = f"import os\nos.sched_setaffinity(0, {{{core}}})\nprint(flush=True)\nwhile True: pass"
    sleep = "import time\nprint(flush=True)\ntime.sleep(60)"
    started = [
        subprocess.Popen([sys.executable, "-I", "-c", code], stdout=subprocess.PIPE) for code in (spin, spin, sleep)
    ]
    try:
        for one in started:
            assert one.stdout is not None
            one.stdout.readline()
        looks = [Waiting(one.pid) for one in started]
        time.sleep(1.0)
        first, second, sleeper = [one.look() for one in looks]
        assert first + second > 0.5  # of a second that two wanted and one could have
        assert sleeper < 0.1
    finally:
        for one in started:
            one.kill()
            one.communicate()
