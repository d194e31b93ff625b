"""The loop as tables: which service makes what out of what, which service calls which, and which progress is published.

An arrow consumes one artefact and makes the next one. Its module is named after it:
`ucoder.<service>.<source>_to_<product>`. Subjects and consumers of the bus, module paths, metric labels, the rights of
NATS accounts, the chart's list of services, the network policies and the README's table are derived from these tables
or held equal to them by tests.
"""

from dataclasses import dataclass
from typing import Literal

Shape = Literal["map", "fan_out", "gather"]
Bound = Literal["single", "model", "sandbox", "compute"]


@dataclass(frozen=True, slots=True)
class Arrow:
    """One stage: `service` turns a `source` into a `product`."""

    service: str
    source: str
    product: str
    shape: Shape
    """`map` makes one product with the source's name, so a redelivered message finds it made; `fan_out` makes many;
    `gather` makes a product when all its sources are complete."""
    bound: Bound
    """The resource that limits how many messages one process works on at once; settings give the numbers."""
    purpose: str
    """One phrase, with the number of the paper's stage where there is one."""

    @property
    def name(self) -> str:
        """The name of module, consumer, metric label and log field, such as `brief_to_problem`."""
        return f"{self.source}_to_{self.product}"

    @property
    def module(self) -> str:
        """The module whose `run` does the stage's work."""
        return f"ucoder.{self.service}.{self.name}"


@dataclass(frozen=True, slots=True)
class Call:
    """A gRPC call of one service to another (`runtime.peers`)."""

    caller: str
    callee: str
    purpose: str


@dataclass(frozen=True, slots=True)
class ProgressEvent:
    """A message that one service publishes for another and that no stream stores: a lost one does no harm."""

    sender: str
    topic: str
    listener: str
    purpose: str

    @property
    def subject(self) -> str:
        """The first part of the NATS subject, which goes on `.<run>.<name>`. Deployed accounts know this prefix."""
        return f"ucoder-news.{self.topic}"


FLOW: tuple[Arrow, ...] = (
    Arrow("runs", "run", "checkpoint", "map", "compute", "the base model is checkpoint 0"),
    Arrow("generator", "checkpoint", "served_model", "map", "single", "the model server now serves it"),
    Arrow("evaluator", "served_model", "evaluation", "map", "single", "pass@k; the base first, with the same prompts"),
    Arrow("runs", "evaluation", "iteration", "gather", "single", "next, stop, or roll back: the promotion gate"),
    Arrow("runs", "iteration", "brief", "fan_out", "compute", "N independent briefs: domain, difficulty, random seed"),
    Arrow("generator", "brief", "problem", "map", "model", "1-3: invent, rate, skeleton"),
    Arrow("test_synth", "problem", "tests", "map", "model", "4: about 100 tests, validated"),
    Arrow("generator", "tests", "candidates", "map", "model", "5a: n = 128 programs with their log-probabilities"),
    Arrow("sandbox_runner", "candidates", "matrix", "map", "sandbox", "5b: every program on every test"),
    Arrow("consensus", "matrix", "consensus", "map", "compute", "5c: signatures, clusters, selection or abstention"),
    Arrow("consensus", "consensus", "dataset", "gather", "compute", "when every brief has ended; sealed exactly once"),
    Arrow("trainer", "dataset", "checkpoint", "map", "single", "6: fine-tuning; the loop closes"),
)

CALLS: tuple[Call, ...] = (
    Call("generator", "sandbox_runner", "Runs the new candidates after each sampling round, and tries out skeletons."),
    Call("generator", "consensus", "Decides after each sampling round whether more candidates are needed."),
    Call("consensus", "sandbox_runner", "Runs the programs of a Select request on its tests."),
    Call("evaluator", "sandbox_runner", "Runs the answers to benchmark tasks on the tasks' own tests."),
    Call("evaluator", "test_synth", "Writes tests for probe tasks whose right answer is known."),
    Call("evaluator", "consensus", "Selects among the answers to probe tasks, so that its precision can be measured."),
    Call("gateway", "sandbox_runner", "Runs programs for callers that speak HTTP."),
    Call("gateway", "consensus", "Selects among the programs of callers that speak HTTP."),
)
"""All calls between services, and those of the gateway, which works on no arrow. Three rules follow: the sandbox runner
calls nobody, so the process next to untrusted programs needs no way to other services; nobody calls the services that
decide about a run (runs, trainer, evaluator); and no two services call each other, so a call never waits for itself."""

PROGRESS_EVENTS: tuple[ProgressEvent, ...] = (
    ProgressEvent("trainer", "training", "runs", "The progress of a training, once a second."),
)

BRIEF_KINDS = frozenset({"brief", "problem", "tests", "candidates", "matrix"})
"""The artefacts of a brief that has not ended. A brief ends once, as a `consensus`: selected, abstained, or
dropped at a stage for a named reason."""
SERVICES: tuple[str, ...] = ("runs", "generator", "test_synth", "sandbox_runner", "consensus", "trainer", "evaluator")
KINDS: tuple[str, ...] = tuple(dict.fromkeys(kind for arrow in FLOW for kind in (arrow.source, arrow.product)))


def arrows_of(service: str) -> tuple[Arrow, ...]:
    """Returns the arrows that one service works on, in the order of the loop."""
    return tuple(arrow for arrow in FLOW if arrow.service == service)
