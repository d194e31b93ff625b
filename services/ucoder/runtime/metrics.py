"""Metrics for Prometheus, labelled by arrow and outcome."""

import shutil
import socket
from functools import partial
from pathlib import Path

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
        self.queue_messages = gauge("ucoder_queue_messages", "Messages by arrow and state.", ["arrow", "state"])
        self.queue_oldest = gauge("ucoder_queue_oldest_seconds", "Age of an arrow's oldest message.", ["arrow"])
        self.dead_letters = gauge("ucoder_dead_letters", "Dead letters that nobody has retried or dropped.")
        self.bus_bytes = gauge("ucoder_bus_bytes", "Bytes that the bus stores.")
        self.bus_limit_bytes = gauge("ucoder_bus_limit_bytes", "Bytes that the bus may store; 0 for no limit.")
        self.disk_free = gauge("ucoder_disk_free_ratio", "Free share of the disk of a folder.", ["folder"])
        self.model_requests = gauge("ucoder_model_requests", "Requests to the model server that are under way.")
        switch = "Time until the model server served a new checkpoint."
        self.switch_seconds = Histogram(
            "ucoder_checkpoint_switch_seconds", switch, registry=self.registry, buckets=SECONDS[4:]
        )
        self.calls = counter("ucoder_calls", "gRPC calls by method and status.", ["method", "status"])
        self.call_seconds = histogram("ucoder_call_seconds", "gRPC call time.", ["method"])

        self.http_requests = counter(
            "ucoder_http_requests", "HTTP requests of the gateway.", ["path", "method", "status"]
        )
        self.http_seconds = histogram("ucoder_http_seconds", "HTTP request time.", ["path"])

    def watch_disk(self, folder: str, path: Path) -> None:
        """Exports how much of a folder's disk is free; `folder` names it in the label."""

        def free() -> float:
            at = next(one for one in (path, *path.parents) if one.exists())
            usage = shutil.disk_usage(at)
            return usage.free / usage.total

        self.disk_free.labels(folder).set_function(free)

    def serve(self, port: int) -> None:
        """Serves /metrics on all interfaces and both families, because Prometheus calls from outside the pod."""
        start_http_server(port, "::" if socket.has_dualstack_ipv6() else "0.0.0.0", registry=self.registry)
