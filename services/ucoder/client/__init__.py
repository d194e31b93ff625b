"""What another Python system imports to call us: two clients and plain results. Loads no torch."""

from ucoder.client.awaiting import AsyncClient
from ucoder.client.blocking import Client
from ucoder.client.dialling import Dial
from ucoder.client.requests import Options, Test
from ucoder.client.results import Answer, Cluster, Cost, Disagreement, Row, Verdict

__all__ = [
    "Answer",
    "AsyncClient",
    "Client",
    "Cluster",
    "Cost",
    "Dial",
    "Disagreement",
    "Options",
    "Row",
    "Test",
    "Verdict",
]
