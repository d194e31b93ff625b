"""The loop as a table: who makes what out of what. The only place that knows who feeds whom.

An arrow eats one artefact and makes the next; its module is named by it: `ucoder.<service>.<source>_to_<product>`.
Subjects, consumers, module paths, metric labels, Helm's service list and the README's table derive from here.
"""

from dataclasses import dataclass
from typing import Literal

Shape = Literal["map", "fan_out", "gather"]
Bound = Literal["single", "model", "sandbox", "compute"]


@dataclass(frozen=True, slots=True)
class Arrow:
    """One stage: `service` turns a `source` into a `product`.

    `shape`: `map` makes one product that bears its source's name, so a redelivery finds it made; `fan_out` makes many;
    `gather` looks at all sources so far and makes a product when they are complete.
    `bound` names what limits how many are worked on at once in one process (settings give the numbers).
    """

    service: str
    source: str
    product: str
    shape: Shape
    bound: Bound
    paper: str

    @property
    def name(self) -> str:
        """`brief_to_problem`: module, consumer, metric label and log field."""
        return f"{self.source}_to_{self.product}"

    @property
    def module(self) -> str:
        """Where the stage lives."""
        return f"ucoder.{self.service}.{self.name}"


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
    Arrow("consensus", "consensus", "dataset", "gather", "single", "when every brief has ended; sealed exactly once"),
    Arrow("trainer", "dataset", "checkpoint", "map", "single", "6: fine-tuning; the loop closes"),
)

# What services tell each other beside the arrows: news that no stream keeps, `ucoder-news.<what>.<run>.<name>`.
NEWS = "ucoder-news"
TOLD: tuple[tuple[str, str, str], ...] = (("trainer", "training", "runs"),)
"""Who tells, what, and who listens: how far a training is, once a second."""

# A brief is any of these until it ends as a `consensus`: selected, abstained, or dropped at a stage for a named reason.
BRIEF_KINDS = frozenset({"brief", "problem", "tests", "candidates", "matrix"})
SERVICES: tuple[str, ...] = (
    "runs",
    "generator",
    "test_synth",
    "sandbox_runner",
    "consensus",
    "trainer",
    "evaluator",
)
KINDS: tuple[str, ...] = tuple(dict.fromkeys(kind for arrow in FLOW for kind in (arrow.source, arrow.product)))


def arrows_of(service: str) -> tuple[Arrow, ...]:
    """The arrows that one service works on, in the order they flow."""
    return tuple(arrow for arrow in FLOW if arrow.service == service)
