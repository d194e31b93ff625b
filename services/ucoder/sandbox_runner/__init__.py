"""The service that runs untrusted programs: every program on every test, inside an isolation boundary, judged outside.

Rooms by trust, each described in its `__init__`:

- `guest/`: untrusted. Copied into the cell, where the programs run.
- `isolation/`: the boundary around a cell, one module for each kind.
- `host/`: trusted with processes. Cells, the pool, batches, the result cache.
- `judging/`: trusted with expected values, which never enter a cell with a program.
- `languages/`: one module for each language: how its tests are read, which of its programs may share a fork.

`sandbox` joins them; `sandbox_job` has the types that callers use; `outcome_table` says what a cell's words mean.
"""
