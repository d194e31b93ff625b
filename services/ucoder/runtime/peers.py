"""The gRPC calls of one service to another, all of them: `flow.CALLS` lists who calls whom, and a test compares."""

import grpc
from grpc_health.v1 import health_pb2, health_pb2_grpc

from ucoder.errors import Misconfigured, Retry, of_call
from ucoder.runtime import tls
from ucoder.runtime.settings import Settings
from ucoder.runtime.tracing import TraceSender
from ucoder.v1 import consensus_pb2_grpc, sandbox_pb2_grpc, test_synth_pb2_grpc


class Peers:
    """The gRPC stubs of the other services: at the address that `UCODER_PEERS` names, otherwise in this process.

    A stub is to be read anew for each piece of work, because a renewed certificate needs a new connection.
    """

    def __init__(self, settings: Settings, services: tuple[str, ...]) -> None:
        """`services` are those of this process."""
        self.own_address = ""
        """Address of this process' own gRPC server, once it is open."""
        self._settings, self._services = settings, services
        self._channels: dict[tuple[str, int], grpc.aio.Channel] = {}

    @property
    def sandbox(self) -> "sandbox_pb2_grpc.SandboxServiceAsyncStub":
        """SandboxService, which runs programs on tests."""
        return sandbox_pb2_grpc.SandboxServiceStub(self._channel("sandbox_runner"))

    @property
    def consensus(self) -> "consensus_pb2_grpc.ConsensusServiceAsyncStub":
        """ConsensusService, which selects among programs."""
        return consensus_pb2_grpc.ConsensusServiceStub(self._channel("consensus"))

    @property
    def test_synth(self) -> "test_synth_pb2_grpc.TestSynthServiceAsyncStub":
        """TestSynthService, which writes tests."""
        return test_synth_pb2_grpc.TestSynthServiceStub(self._channel("test_synth"))

    async def check(self, service: str, seconds: float) -> None:
        """Asks another service whether it is ready. Raises Retry when it is not, or does not answer in time."""
        health = health_pb2_grpc.HealthStub(self._channel(service))
        try:
            answer = await health.Check(health_pb2.HealthCheckRequest(), timeout=seconds)
        except grpc.RpcError as error:
            raise of_call(error) from None
        if answer.status != health_pb2.HealthCheckResponse.SERVING:
            raise Retry(f"{service} is not ready.")

    async def close(self) -> None:
        """Closes all connections; calls in progress fail."""
        for channel in self._channels.values():
            await channel.close()

    def _channel(self, service: str) -> grpc.aio.Channel:
        """Returns the connection to a service, made once; raises Misconfigured when its address is unknown."""
        addresses = dict(entry.split("=", 1) for entry in self._settings.peers.split(",") if "=" in entry)
        address = addresses.get(service) or (self.own_address if service in self._services else "")
        if not address:
            raise Misconfigured(f"{service} is not served in this process: add {service}=host:port to UCODER_PEERS.")
        key = address, tls.certificate_version(self._settings)
        if key not in self._channels:
            self._channels[key] = self._dial(address)
        return self._channels[key]

    def _dial(self, address: str) -> grpc.aio.Channel:
        limit = self._settings.max_message_mb << 20
        options = [
            ("grpc.max_send_message_length", limit),
            ("grpc.max_receive_message_length", limit),
            ("grpc.lb_policy_name", "round_robin"),
        ]
        if (credentials := tls.client_credentials(self._settings)) is None:
            return grpc.aio.insecure_channel(address, options, interceptors=[TraceSender()])
        return grpc.aio.secure_channel(address, credentials, options, interceptors=[TraceSender()])
