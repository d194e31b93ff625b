"""Runs the command line: `python -m ucoder` is the same as `ucoder`."""

from ucoder.cli import main

main()
