"""Measures whether memory and descriptors of services grow during a long load, once the services are warm."""

import os
import statistics
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import cycle
from pathlib import Path

from matplotlib.figure import Figure

from ucoder.cli.shared.plot_file import save_plot
from ucoder.runs.plot_colors import BLUE, GREEN, GREY, ORANGE, PURPLE, RED
from ucoder_development.fleet import ServiceFleet

WARM = (0.1, 0.2)
"""The memory between these shares of the work is the baseline for later memory."""
END = (0.9, 1.0)
COLORS = (BLUE, ORANGE, GREEN, RED, PURPLE, GREY)


@dataclass(frozen=True, slots=True)
class MemorySample:
    """The memory of one service, after `done` pieces of the work."""

    service: str
    done: int
    mb: float
    """MB that it and its descendants wrote; shared pages count once, code does not count."""
    descriptors: int


@dataclass(frozen=True, slots=True)
class MemoryGrowth:
    """Medians of the samples of a service, when it is warm and at the end."""

    service: str
    warm_mb: float
    end_mb: float
    warm_descriptors: int
    end_descriptors: int

    @property
    def share(self) -> float:
        """The growth of the memory as a share of the warm memory."""
        return self.end_mb / self.warm_mb - 1


def take_samples(fleet: ServiceFleet, done: int) -> list[MemorySample]:
    """Returns a sample of every process that runs now."""
    pids = {name: member.process.pid for name, member in fleet.members.items() if member.process}
    return [
        MemorySample(name, done, mb, len(os.listdir(f"/proc/{pids[name]}/fd")))
        for name, mb in fleet.memory_mb().items()
    ]


def memory_growth_of(taken: Sequence[MemorySample], service: str, total: int) -> MemoryGrowth:
    """Returns the growth of a service over `total` pieces of work. An empty span takes the first or last sample."""
    own = [one for one in taken if one.service == service]

    def within(span: tuple[float, float], otherwise: MemorySample) -> list[MemorySample]:
        """Returns the samples between two shares of the work."""
        return [one for one in own if span[0] * total <= one.done <= span[1] * total] or [otherwise]

    warm, end = within(WARM, own[0]), within(END, own[-1])
    return MemoryGrowth(
        service,
        statistics.median(one.mb for one in warm),
        statistics.median(one.mb for one in end),
        int(statistics.median(one.descriptors for one in warm)),
        int(statistics.median(one.descriptors for one in end)),
    )


def draw_memory(file: Path, taken: Sequence[MemorySample], services: Sequence[str], unit: str) -> None:
    """Draws the memory of each service over the work that was done; `unit` names a piece of it."""
    figure = Figure(figsize=(9, 4), layout="constrained")
    axes = figure.subplots()
    for color, service in zip(cycle(COLORS), services, strict=False):
        own = [one for one in taken if one.service == service]
        axes.plot([one.done for one in own], [one.mb for one in own], color=color, label=service)
    axes.set(xlabel=f"{unit} done", ylabel="memory written, MB", ylim=(0, None))
    axes.legend(loc="upper left", bbox_to_anchor=(1, 1), frameon=False)
    save_plot(figure, file)
