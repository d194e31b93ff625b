"""Metrics for Prometheus, labelled by arrow and outcome."""

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, start_http_server

SECONDS = (0.001, 0.005, 0.02, 0.1, 0.5, 2, 10, 60, 300, 1800)


class Metrics:
    """The metrics of one process, in a registry of their own."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self.messages = Counter(
            "ucoder_messages", "Bus messages by arrow and outcome.", ["arrow", "outcome"], registry=self.registry
        )
        self.message_seconds = Histogram(
            "ucoder_message_seconds",
            "Time from delivery to acknowledgement.",
            ["arrow"],
            buckets=SECONDS,
            registry=self.registry,
        )
        self.wait_seconds = Histogram(
            "ucoder_message_wait_seconds",
            "Age of a message at its first delivery: how long it stood in the queue.",
            ["arrow"],
            buckets=SECONDS,
            registry=self.registry,
        )
        self.in_hand = Gauge("ucoder_messages_in_hand", "Messages being worked on.", ["arrow"], registry=self.registry)
        self.briefs = Counter(
            "ucoder_briefs_ended", "Briefs by ending and reason.", ["ending", "reason"], registry=self.registry
        )
        self.calls = Counter(
            "ucoder_calls", "gRPC calls by method and status.", ["method", "status"], registry=self.registry
        )
        self.call_seconds = Histogram(
            "ucoder_call_seconds", "gRPC call time.", ["method"], buckets=SECONDS, registry=self.registry
        )

    def serve(self, port: int) -> None:
        """Serves /metrics on all interfaces, because Prometheus calls from outside the pod."""
        start_http_server(port, registry=self.registry)
