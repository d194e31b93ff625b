"""`python -m ucoder` is `ucoder`."""

from ucoder.cli import main

main()
