"""Metrics for Prometheus, labelled by arrow and outcome."""

from functools import partial

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, start_http_server

SECONDS = (0.001, 0.005, 0.02, 0.1, 0.5, 2, 10, 60, 300, 1800)


class Metrics:
    """The metrics of one process, in a registry of their own."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        counter = partial(Counter, registry=self.registry)
        gauge = partial(Gauge, registry=self.registry)
        histogram = partial(Histogram, registry=self.registry, buckets=SECONDS)
        wait = "Age of a message at its first delivery: how long it stood in the queue."
        self.messages = counter("ucoder_messages", "Bus messages by arrow and outcome.", ["arrow", "outcome"])
        self.message_seconds = histogram("ucoder_message_seconds", "Time from delivery to acknowledgement.", ["arrow"])
        self.wait_seconds = histogram("ucoder_message_wait_seconds", wait, ["arrow"])
        self.in_hand = gauge("ucoder_messages_in_hand", "Messages being worked on.", ["arrow"])
        self.briefs = counter("ucoder_briefs_ended", "Briefs by ending and reason.", ["ending", "reason"])
        self.calls = counter("ucoder_calls", "gRPC calls by method and status.", ["method", "status"])
        self.call_seconds = histogram("ucoder_call_seconds", "gRPC call time.", ["method"])

    def serve(self, port: int) -> None:
        """Serves /metrics on all interfaces, because Prometheus calls from outside the pod."""
        start_http_server(port, registry=self.registry)
