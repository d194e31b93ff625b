"""The dashboard that RunService serves beside gRPC: all runs, how far each is, and the history of every brief.

The pages are rendered on the server, and one small script updates them. Texts that a model wrote may be hostile, so
every text is escaped and the pages allow no script but our own file.
"""

from ucoder.runs.dashboard.server import serve_dashboard

__all__ = ["serve_dashboard"]
