"""The Python client of ConsensusService: a blocking and an asynchronous client, and plain results.

The package imports grpcio and protobuf and nothing else beside the standard library, so that other systems can install
and import it at little cost.
"""

from ucoder.client.clients import AsyncClient, Client
from ucoder.client.connection import Connection
from ucoder.client.program_output import FinishedProcess, ProgramOutput, RunOptions
from ucoder.client.requests import Options, Test
from ucoder.client.results import (
    Answer,
    BoundPremise,
    Cluster,
    Cost,
    Disagreement,
    ProbabilityBound,
    ProgramReason,
    Row,
    Verdict,
)

__all__ = [
    "Answer", "AsyncClient", "BoundPremise", "Client", "Cluster", "Connection", "Cost", "Disagreement",
    "FinishedProcess", "Options", "ProbabilityBound", "ProgramOutput", "ProgramReason", "Row", "RunOptions", "Test",
    "Verdict",
]  # fmt: skip
