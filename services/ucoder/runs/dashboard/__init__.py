"""The dashboard that RunService serves beside its gRPC door: runs, how far they are, and any brief's whole life.

Server-rendered pages, one small script for live updates, no build chain. What a model wrote is hostile here too: every
text is escaped, and the pages forbid every script but our own file.
"""

from ucoder.runs.dashboard.server import serve_dashboard

__all__ = ["serve_dashboard"]
