"""The trusted side of the sandbox: warm cells, the pool that keeps them, batches of programs, remembered results.

Trusted with the programs, this machine's processes and the cells' temporary files. Not trusted with judgement: no
expected value is known here. Everything that comes out of a cell is checked in `cell` before anything else sees it.

`sandbox.execute` -> `pool` -> `batch` (which programs share a fork, and what runs again) -> `cell` (one process that
speaks frames, where it is started, ended and found dead). `orphan_cleanup` kills the cells of a host that was killed.
"""
