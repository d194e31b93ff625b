"""ucoder makes a code model better with no data at all, by execution-driven consensus (arXiv 2512.17385).

`flow.py` is the picture: the loop as one table of arrows. Start there.
"""

__version__ = "0.1.0"
