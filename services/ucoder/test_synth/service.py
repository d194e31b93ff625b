"""TestSynthService, and what its arrow shares with it."""

from ucoder.errors import TooFewTests
from ucoder.models import model_of
from ucoder.runtime.context import ServiceContext
from ucoder.runtime.messaging.arrow_worker import Dropped
from ucoder.test_synth.test_writing import synthesize_tests
from ucoder.v1 import test_synth_pb2, test_synth_pb2_grpc

NAME = test_synth_pb2.DESCRIPTOR.services_by_name["TestSynthService"].full_name
REGISTER = test_synth_pb2_grpc.add_TestSynthServiceServicer_to_server


class Service(test_synth_pb2_grpc.TestSynthServiceServicer):
    """The service that asks the model for tests."""

    def __init__(self, context: ServiceContext) -> None:
        self.model = model_of(context)
        self.ledger = context.ledger

    async def SynthesizeTests(
        self, request: test_synth_pb2.SynthesizeTestsRequest, context: object
    ) -> test_synth_pb2.SynthesizeTestsResponse:
        """Returns tests for one problem; raises TooFewTests when the model writes too few that can be read."""
        tests = await synthesize_tests(
            self.model, request.model, request.problem, request.config, request.profile, seed=request.seed
        )
        if isinstance(tests, Dropped):
            raise TooFewTests(f"{tests.reason}: {tests.detail}")
        return test_synth_pb2.SynthesizeTestsResponse(tests=tests)
