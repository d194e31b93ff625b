"""TestSynthService, and what its arrow uses."""

import contextlib
from collections.abc import AsyncIterator

from ucoder.errors import Reject
from ucoder.models import model_of
from ucoder.runtime.context import ServiceContext
from ucoder.runtime.messaging.arrow_worker import Dropped
from ucoder.test_synth.test_writing import synthesize_tests
from ucoder.v1 import test_synth_pb2, test_synth_pb2_grpc

NAME = test_synth_pb2.DESCRIPTOR.services_by_name["TestSynthService"].full_name
REGISTER = test_synth_pb2_grpc.add_TestSynthServiceServicer_to_server


class Service(test_synth_pb2_grpc.TestSynthServiceServicer):
    """Tests for problems."""

    def __init__(self, context: ServiceContext) -> None:
        self.model = model_of(context)
        self.ledger = context.ledger

    @classmethod
    @contextlib.asynccontextmanager
    async def open(cls, context: ServiceContext) -> AsyncIterator["Service"]:
        """The service for as long as the block runs."""
        yield cls(context)

    async def SynthesizeTests(  # noqa: N802
        self, request: test_synth_pb2.SynthesizeTestsRequest, context: object
    ) -> test_synth_pb2.SynthesizeTestsResponse:
        """Tests for one problem; INVALID_ARGUMENT when the model writes too few that can be read."""
        made = await synthesize_tests(
            self.model, request.model, request.problem, request.config, request.profile, seed=request.seed
        )
        if isinstance(made, Dropped):
            raise Reject(f"{made.reason}: {made.detail}")
        return test_synth_pb2.SynthesizeTestsResponse(tests=made)
