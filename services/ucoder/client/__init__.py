"""What another Python system imports to call us: two clients and plain results. Loads no torch."""

from ucoder.client.async_client import AsyncClient
from ucoder.client.blocking_client import Client
from ucoder.client.connection import Connection
from ucoder.client.requests import Options, Test
from ucoder.client.results import Answer, Cluster, Cost, Disagreement, Row, Verdict

__all__ = [
    "Answer",
    "AsyncClient",
    "Client",
    "Cluster",
    "Connection",
    "Cost",
    "Disagreement",
    "Options",
    "Row",
    "Test",
    "Verdict",
]
