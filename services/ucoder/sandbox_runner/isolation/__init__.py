"""The isolation boundaries around cells: one module for each kind.

Trusted with the boundary itself: these modules decide what of this machine a cell can see and reach. They know nothing
of programs, tests or results.

| kind         | module       | covers                                       | does not cover                    |
|--------------|--------------|----------------------------------------------|-----------------------------------|
| `runsc`      | `gvisor`     | the host's kernel, files, processes, network | bugs of gVisor, side channels     |
| `bubblewrap` | `bubblewrap` | files, processes, network                    | bugs of the kernel, side channels |
| `pod`        | `pod`        | as `runsc`, in containers beside this one    | as `runsc`; killing its own cell  |
| `none`       | `none`       | time, memory and output of each program      | your files, processes, network    |

Each module's docstring says it in full; `ucoder doctor` prints it. `boundary` holds the contract of a kind, `choice`
the table of kinds, `root_filesystem` what a cell sees as its files. Each program's limits (time, memory, processes) are
set inside by `guest/fork`, the seccomp filter by `guest/seccomp`.
"""
