"""Measures pass@k: samples a served model on benchmarks, and judges the programs in the sandbox."""
