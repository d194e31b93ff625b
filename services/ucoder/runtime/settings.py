"""Settings of a process: one frozen model, read from `UCODER_*` variables; every default works on a laptop.

A run's own configuration is another matter: `ucoder/runs/presets/default.yaml`.
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
    """Where everything is and how much of it there may be. Each field is the variable `UCODER_<FIELD>`."""

    model_config = SettingsConfigDict(env_prefix=PREFIX, frozen=True, extra="forbid", use_attribute_docstrings=True)

    nats_url: str = "nats://127.0.0.1:4222"
    """The bus: a comma-separated list of servers."""
    nats_credentials: Path | None = None
    """NATS credentials: a file with an nkey's seed, or with a user JWT and it; none for an open loopback server."""
    nats_wait_seconds: float = Field(default=15, gt=0)
    """How long a starting service waits for the bus before it gives up."""
    nats_ca: Path | None = None
    """Authority of the bus' certificate; with it the bus must speak TLS, and is shown `tls_certificate` if it asks."""
    nats_inbox_prefix: str = Field(default="_INBOX", pattern=r"^\w+(\.\w+)*$")
    """Where answers come to; with accounts each service has its own, so none can read another's."""
    nats_replicas: int = Field(default=1, ge=1, le=5)
    """Servers that keep each message of a stream that is made; `helm/ucoder/files/declare.py` changes one that is."""
    store_url: str = "file://./runs/store"
    """Where artefacts live: file:///folder, s3://bucket/prefix, gs:// or az://. Credentials: the provider's own."""
    store_endpoint: str = ""
    """S3 endpoint other than Amazon's, e.g. http://127.0.0.1:8333."""
    cache_dir: Path = Path("~/.cache/ucoder")
    """Copies of checkpoints fetched from a remote store, and executed results by content."""
    model_url: str = "local"
    """Who answers for the model: `local` (transformers, here), `vllm` (started here by `model_command`, and again for
    each checkpoint), or an OpenAI-compatible URL ending in /v1."""
    model_command: str = "vllm serve {model} --served-model-name {model} --host 127.0.0.1 --port {port}"
    """What starts the server of UCODER_MODEL_URL=vllm; add its flags here. Any server will do that lists {model}."""
    model_seconds: float = Field(default=1800, gt=0)
    """How long a server may take until it answers for new weights: to load, to compile, to roll out."""
    model_api_key: str = Field(default="", repr=False)
    """Key of that endpoint; never logged."""
    rollout_statefulset: str = ""
    """StatefulSet of the model server, in this pod's namespace, rolled to each new checkpoint; empty: none is."""
    training_template: Path | None = None
    """Kubernetes Job, JobSet or Kubeflow TrainJob (YAML) that each training is made from; none: trainings run in this
    process' pod."""
    training_silence_seconds: float = Field(default=1800, gt=0)
    """How long a training may stand still before it is given up: a process or pod that says nothing, a pod that cannot
    start, an API server that is away. A step of a large model takes minutes, a new GPU node ten or more."""
    model_concurrency: int = Field(default=64, ge=1, le=4096)
    """Messages of model-bound arrows worked on at once; the model batches what they ask."""
    sandbox_concurrency: int = Field(default=4, ge=1, le=4096)
    """Matrices worked on at once by one sandbox-runner."""
    compute_concurrency: int = Field(default=4, ge=1, le=4096)
    """Messages of other arrows worked on at once."""
    isolation: Literal["auto", "runsc", "bubblewrap", "pod", "none"] = "auto"
    """What holds the programs. `auto` is runsc, else bubblewrap, else refusal; `none` must be typed."""
    cells: int = Field(default_factory=lambda: os.cpu_count() or 1, ge=1, le=1024)
    """Isolation cells side by side; each keeps about one core busy."""
    sandbox_packages: Path | None = None
    """Third-party packages that programs may import, read-only: what `pip install --target FOLDER` of this very
    interpreter made."""
    listen: str = "127.0.0.1:7070"
    """gRPC address: host:port (port 0 takes a free one)."""
    peers: str = ""
    """Where the other services listen, as name=host:port,...; a service not named is asked for in this process."""
    tls_certificate: Path | None = None
    """Certificate chain (PEM); with `tls_key` the doors speak TLS. Peers that ask are shown it too. Read again when it
    changes."""
    tls_key: Path | None = None
    """Private key of `tls_certificate`."""
    tls_ca: Path | None = None
    """Authority that peers' certificates are held against; none: this machine's own authorities."""
    tls_client_ca: Path | None = None
    """When set, callers must show a certificate that this authority signed."""
    tokens_file: Path | None = None
    """One `caller:token` a line; when set, every call needs `authorization: Bearer TOKEN`."""
    max_message_mb: int = Field(default=64, ge=1, le=1024)
    """Largest gRPC message, either way."""
    rpc_seconds: float = Field(default=600, gt=0)
    """Deadline of a call whose caller set none."""
    max_calls: int = Field(default=256, ge=1)
    """Calls worked on at once; more are answered RESOURCE_EXHAUSTED."""
    max_calls_each: int = Field(default=128, ge=1)
    """Calls of one caller at once, where a tokens file tells them apart: a flood of one leaves room for others."""
    quota_programs_per_minute: int = Field(default=0, ge=0)
    """Distinct programs one caller of the consensus service may have executed in a minute; 0 is no limit."""
    web_listen: str = "127.0.0.1:7071"
    """host:port of the dashboard that `runs` serves beside its gRPC door; empty for none. It asks for a token of
    `tokens_file` and speaks TLS as the doors do."""
    kubernetes_url: str = ""
    """API server, e.g. http://127.0.0.1:8001 (`kubectl proxy`); none for the pod's own cluster, or the kubeconfig's."""
    kubernetes_namespace: str = ""
    """Namespace of what we make there; none for the pod's own, or the kubeconfig's."""
    metrics_port: int = Field(default=0, ge=0, le=65535)
    """Prometheus port; 0 for none."""
    otlp_url: str = ""
    """OpenTelemetry collector that traces are sent to, such as http://collector:4318; empty for none."""
    ack_wait_seconds: float = Field(default=30, ge=1)
    """A message whose worker is silent for so long is given to another; workers send a heartbeat at a third of it."""
    attempts: int = Field(default=5, ge=1)
    """Attempts at a message before it becomes a dead letter; four times as many when it is the world that is unwell."""
    drain_seconds: float = Field(default=30, ge=0)
    """On SIGTERM: time for work in hand to finish before it is handed back to the bus."""
    log_format: Literal["auto", "json", "console"] = "auto"
    """`auto` is console on a terminal, JSON elsewhere."""
    log_level: Literal["debug", "info", "warning", "error"] = "info"
    """Least level that is written."""


def load(environment: Mapping[str, str] | None = None, **overrides: object) -> Settings:
    """Settings from the environment; `overrides` (command-line flags) win.

    Raises Misconfigured naming the variable: unknown ones too, with the nearest known name, because a mistyped variable
    that is silently ignored is the worst kind of setting.
    """
    environment = os.environ if environment is None else environment
    known = {PREFIX + name.upper() for name in Settings.model_fields}
    for variable in sorted(environment):
        if variable.upper().startswith(PREFIX) and variable.upper() not in known:
            names = [name.upper() for name in Settings.model_fields]
            near = difflib.get_close_matches(variable.upper().removeprefix(PREFIX), names, 1)
            hint = f"did you mean {PREFIX}{near[0]}?" if near else "`ucoder settings` lists them all."
            raise Misconfigured(f"{variable} is not a setting; {hint}")
    values = {
        name: environment[variable]
        for name in Settings.model_fields
        for variable in environment
        if variable.upper() == PREFIX + name.upper()
    }
    try:
        return Settings.model_validate({**values, **overrides})
    except ValidationError as error:
        first = error.errors()[0]
        name = PREFIX + str(first["loc"][0]).upper()
        raise Misconfigured(f"{name}={first['input']!r}: {first['msg'].lower()}.") from None
