"""The evaluator: measures pass@k by sampling a served model on benchmarks and judging the programs in the sandbox."""
