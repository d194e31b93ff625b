"""The code that runs inside a cell, beside untrusted programs.

Trusted with nothing: a program may change everything here, so the host believes only values of the right form, and no
expected value, credential or file of this machine ever enters a cell. Imports the standard library and `core.values`
alone, because these files are copied into the cell as they are.

`cell_main` is the first process and never runs a program. Each job gets a fork (`fork`), which the first process
watches; in it `program_runner` runs Python, and `javascript_runner.js` runs JavaScript.
"""
