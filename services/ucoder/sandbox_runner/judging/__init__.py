"""The judgement of results, outside every cell.

Trusted with the expected values: they are known here alone, and never sent to a cell that holds a program. Not trusted
with processes or files. A result from a cell is only a value here; no method of it is ever called.

`comparison` compares what a call returned with what its test expects, by the rules of `core/value_comparison`.
`block_tests` judges the tests that are more than one call: a judge without the program runs them
(`guest/block_tests/judge`).
"""
