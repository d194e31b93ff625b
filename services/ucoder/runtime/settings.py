"""The settings of a process: one frozen model, read from `UCODER_*` variables; every default works on a laptop.

A run has a configuration of its own: `ucoder/runs/presets/default.yaml`.
"""

import difflib
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Literal

from pydantic import Field, ValidationError
from pydantic_settings import BaseSettings, SettingsConfigDict

from ucoder.errors import Misconfigured

PREFIX = "UCODER_"


class Settings(BaseSettings):
    """The addresses, limits and choices of a process. Each field is the variable `UCODER_<FIELD>`."""

    model_config = SettingsConfigDict(env_prefix=PREFIX, frozen=True, extra="forbid", use_attribute_docstrings=True)

    nats_url: str = "nats://127.0.0.1:4222"
    """The bus: a comma-separated list of NATS servers."""
    nats_credentials: Path | None = None
    """NATS credentials: a file with an nkey's seed, or with a user JWT and a seed; none for an open loopback server."""
    nats_wait_seconds: float = Field(default=15, gt=0)
    """Seconds that a starting service waits for the bus before it gives up."""
    nats_ca: Path | None = None
    """Authority of the bus' certificate; when set, the bus must speak TLS and may ask for `tls_certificate`."""
    nats_inbox_prefix: str = Field(default="_INBOX", pattern=r"^\w+(\.\w+)*$")
    """Prefix of answer subjects; with accounts each service has its own, so none can read another's."""
    nats_replicas: int = Field(default=1, ge=1, le=5)
    """Servers that keep each message of a new stream; `helm/ucoder/files/declare.py` changes existing streams."""
    store_url: str = "file://./runs/store"
    """The object store: file:///folder, s3://bucket/prefix, gs:// or az://. The provider defines the credentials."""
    store_endpoint: str = ""
    """S3 endpoint other than Amazon's, e.g. http://127.0.0.1:8333."""
    cache_dir: Path = Path("~/.cache/ucoder")
    """Folder for copies of checkpoints from a remote store, and for cached results of executed programs."""
    model_url: str = "local"
    """The model server: `local` (transformers on this machine), `vllm` (started by `model_command`, and again for
    each checkpoint), or an OpenAI-compatible URL that ends in /v1."""
    model_command: str = "vllm serve {model} --served-model-name {model} --host 127.0.0.1 --port {port}"
    """Command, with flags, that starts the server of UCODER_MODEL_URL=vllm. Any server works that lists {model}."""
    model_seconds: float = Field(default=1800, gt=0)
    """Seconds that a server may take until it answers with new weights: to load, to compile, to roll out."""
    model_api_key: str = Field(default="", repr=False)
    """API key of the model server; never logged."""
    rollout_statefulset: str = ""
    """StatefulSet of the model server, in this pod's namespace, rolled to each new checkpoint; empty for none."""
    training_template: Path | None = None
    """YAML file of the Kubernetes Job, JobSet or Kubeflow TrainJob that each training is made from; none: trainings run
    where the trainer runs."""
    training_silence_seconds: float = Field(default=1800, gt=0)
    """Seconds without progress after which a training is given up: a silent process or pod, a pod that cannot start, an
    API server that is away. A step of a large model takes minutes, a new GPU node ten or more."""
    model_concurrency: int = Field(default=64, ge=1, le=4096)
    """Messages of arrows that use the model, worked on at once; the model server batches their requests."""
    sandbox_concurrency: int = Field(default=4, ge=1, le=4096)
    """Matrices worked on at once by one sandbox-runner."""
    compute_concurrency: int = Field(default=4, ge=1, le=4096)
    """Messages of other arrows worked on at once."""
    isolation: Literal["auto", "runsc", "bubblewrap", "pod", "none"] = "auto"
    """Isolation of untrusted programs. `auto` is runsc, else bubblewrap, else refusal; `none` must be typed."""
    cells: int = Field(default_factory=lambda: os.cpu_count() or 1, ge=1, le=1024)
    """Number of isolation cells; each keeps about one core busy."""
    sandbox_packages: Path | None = None
    """Folder of third-party packages that programs may import, read-only. `pip install --target FOLDER` of the same
    interpreter makes it."""
    listen: str = "127.0.0.1:7070"
    """Address of the gRPC server: host:port (port 0 takes a free one)."""
    peers: str = ""
    """Addresses of other services, as name=host:port,...; a service that is not named must run in this process."""
    tls_certificate: Path | None = None
    """Certificate chain (PEM); with `tls_key` the gRPC server speaks TLS. Calls to other services and to the bus show
    it too. It is read again when it changes."""
    tls_key: Path | None = None
    """Private key of `tls_certificate`."""
    tls_ca: Path | None = None
    """Authority that the certificates of other services are checked with; none: this machine's own authorities."""
    tls_client_ca: Path | None = None
    """When set, callers must have a certificate that this authority signed."""
    tokens_file: Path | None = None
    """File with one `caller:token` a line; when set, every call needs `authorization: Bearer TOKEN`."""
    max_message_mb: int = Field(default=64, ge=1, le=1024)
    """Size limit of gRPC requests and answers."""
    rpc_seconds: float = Field(default=600, gt=0)
    """Seconds that a call may take; a caller's own deadline may be shorter."""
    max_calls: int = Field(default=256, ge=1)
    """Calls worked on at once; more are answered RESOURCE_EXHAUSTED."""
    max_calls_each: int = Field(default=128, ge=1)
    """Calls of one caller worked on at once, where a tokens file identifies callers; the rest stays free for others."""
    quota_programs_per_minute: int = Field(default=0, ge=0)
    """Distinct programs that the consensus service executes for one caller in a minute; 0 is no limit."""
    web_listen: str = "127.0.0.1:7071"
    """host:port of the dashboard that `runs` serves beside its gRPC server; empty for none. It requires a token of
    `tokens_file` and speaks TLS as the gRPC server does."""
    retention_days: float = Field(default=0, ge=0)
    """Days after which the service `runs` deletes a run that has ended; 0 for never."""
    retention_runs: int = Field(default=0, ge=0)
    """Ended runs of one owner that are kept, those that ended last; the others are deleted. 0 keeps all."""
    gateway_listen: str = "127.0.0.1:8080"
    """host:port of the gateway's HTTP server."""
    gateway_requests_per_minute: int = Field(default=0, ge=0)
    """HTTP requests of one caller in a minute; 0 is no limit."""
    gateway_faults: Literal["504", "200"] = "504"
    """Status of a SandboxFusion or ScaleBox answer when the platform failed. 504 is the one that every client which
    retries does retry; 200 is what those servers answer, and many clients take it for a wrong program."""
    gateway_origins: str = ""
    """Origins of web pages that may call the gateway, with commas between them; `*` for all; empty for none."""
    gateway_upstream: str = ""
    """Model server behind the gateway's OpenAI-compatible paths, such as http://127.0.0.1:8000/v1; empty for none."""
    gateway_samples: int = Field(default=16, ge=1, le=1024)
    """Programs that compete for an answer of the OpenAI-compatible paths."""
    gateway_temperature: float = Field(default=0.8, ge=0, le=2)
    """Temperature of these programs where the client names none, or 0."""
    kubernetes_url: str = ""
    """Kubernetes API server, e.g. http://127.0.0.1:8001 (`kubectl proxy`); empty: the pod's or the kubeconfig's."""
    kubernetes_namespace: str = ""
    """Namespace of the Kubernetes objects that are made; empty: the pod's own, or the kubeconfig's."""
    metrics_port: int = Field(default=0, ge=0, le=65535)
    """Prometheus port; 0 for none."""
    otlp_url: str = ""
    """OpenTelemetry collector that gets the traces, such as http://collector:4318; empty for none."""
    ack_wait_seconds: float = Field(default=30, ge=1)
    """Seconds after which the message of a silent worker goes to another one; heartbeats come three times as often."""
    attempts: int = Field(default=5, ge=1)
    """Attempts before a message becomes a dead letter; four times as many after transient failures."""
    drain_seconds: float = Field(default=30, ge=0)
    """Seconds for work in progress to finish on SIGTERM, before it is handed back to the bus."""
    log_format: Literal["auto", "json", "console"] = "auto"
    """Format of the log; `auto` is console on a terminal, JSON elsewhere."""
    log_level: Literal["debug", "info", "warning", "error"] = "info"
    """Lowest level that is logged."""


def load(environment: Mapping[str, str] | None = None, **overrides: object) -> Settings:
    """Returns the settings of the environment; `overrides` (command-line flags) take precedence.

    Raises Misconfigured naming the variable that is wrong or unknown, with the nearest known name, because a mistyped
    variable that is silently ignored is hard to find.
    """
    values: dict[str, object] = {}
    for variable, value in sorted((os.environ if environment is None else environment).items()):
        if variable.upper().startswith(PREFIX):
            name = variable[len(PREFIX) :].lower()
            if name not in Settings.model_fields:
                near = difflib.get_close_matches(name, Settings.model_fields, 1)
                hint = f"did you mean {PREFIX}{near[0].upper()}?" if near else "`ucoder settings` lists them all."
                raise Misconfigured(f"{variable} is not a setting; {hint}")
            values[name] = value
    try:
        return Settings.model_validate({**values, **overrides})
    except ValidationError as error:
        first = error.errors()[0]
        name = PREFIX + str(first["loc"][0]).upper()
        raise Misconfigured(f"{name}={first['input']!r}: {first['msg'].lower()}.") from None
