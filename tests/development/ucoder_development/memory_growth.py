"""Memory and descriptors of services through a long load: whether they stand still once the services are warm."""

import os
import statistics
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import cycle
from pathlib import Path

from matplotlib.figure import Figure

from ucoder.cli.shared.plot_file import save_plot
from ucoder_development.fleet import Fleet

WARM = (0.1, 0.2)
"""Between these shares of the work a service's memory is what its later memory is compared with."""
END = (0.9, 1.0)
COLORS = ("#2563eb", "#ea580c", "#16a34a", "#dc2626", "#7c3aed", "#6b7280")


@dataclass(frozen=True, slots=True)
class Sample:
    """One service, when so many pieces of the work were done."""

    service: str
    done: int
    mb: float
    """That it and its descendants wrote; what several of them share counts once, code not at all."""
    descriptors: int


@dataclass(frozen=True, slots=True)
class Growth:
    """Medians of a service's samples, warm and at the end."""

    service: str
    warm_mb: float
    end_mb: float
    warm_descriptors: int
    end_descriptors: int

    @property
    def share(self) -> float:
        """By which share the memory grew."""
        return self.end_mb / self.warm_mb - 1


def samples(fleet: Fleet, done: int) -> list[Sample]:
    """Every member that runs, now."""
    pids = {name: member.process.pid for name, member in fleet.members.items() if member.process}
    return [Sample(name, done, mb, len(os.listdir(f"/proc/{pids[name]}/fd"))) for name, mb in fleet.memory_mb().items()]


def growth(taken: Sequence[Sample], service: str, total: int) -> Growth:
    """What a service grew by over `total` pieces of work. The first or last sample stands where a span has none."""
    own = [one for one in taken if one.service == service]

    def within(span: tuple[float, float], otherwise: Sample) -> list[Sample]:
        return [one for one in own if span[0] * total <= one.done <= span[1] * total] or [otherwise]

    warm, end = within(WARM, own[0]), within(END, own[-1])
    return Growth(
        service,
        statistics.median(one.mb for one in warm),
        statistics.median(one.mb for one in end),
        int(statistics.median(one.descriptors for one in warm)),
        int(statistics.median(one.descriptors for one in end)),
    )


def draw(file: Path, taken: Sequence[Sample], services: Sequence[str], what: str) -> None:
    """Memory by service over the work that was done."""
    figure = Figure(figsize=(9, 4), layout="constrained")
    axes = figure.subplots()
    for color, service in zip(cycle(COLORS), services, strict=False):
        own = [one for one in taken if one.service == service]
        axes.plot([one.done for one in own], [one.mb for one in own], color=color, label=service)
    axes.set(xlabel=f"{what} done", ylabel="memory written, MB", ylim=(0, None))
    axes.legend(loc="upper left", bbox_to_anchor=(1, 1), frameon=False)
    save_plot(figure, file)
