"""The ucoder package improves a code model with no data at all, by execution-driven consensus (arXiv 2512.17385).

Start reading at `flow.py`, which shows the loop as a table.
"""

__version__ = "0.1.0"
