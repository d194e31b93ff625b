"""The growth of memory, for samples whose growth is known."""

from pathlib import Path

from ucoder_development.memory_growth import MemorySample, draw_memory, memory_growth_of


def taken(*sizes: float) -> list[MemorySample]:
    """Returns a sample of a service after each tenth of 100 pieces of work."""
    return [MemorySample("s", 10 * number, mb, 20) for number, mb in enumerate(sizes)]


def test_growth_is_from_the_warm_tenth_to_the_last() -> None:
    found = memory_growth_of(taken(50, 100, 100, 300, 100, 100, 100, 100, 100, 105, 105), "s", 100)
    assert (found.warm_mb, found.end_mb, round(found.share, 3)) == (100, 105, 0.05)
    assert (found.warm_descriptors, found.end_descriptors) == (20, 20)


def test_a_single_sample_does_not_decide() -> None:
    samples = [
        *taken(*[100.0] * 11),
        MemorySample("s", 98, 500, 90),
        MemorySample("s", 99, 100, 20),
        MemorySample("other", 95, 1, 1),
    ]
    found = memory_growth_of(samples, "s", 100)
    assert (found.share, found.end_descriptors) == (0, 20)


def test_spans_without_samples_take_the_first_and_the_last() -> None:
    assert (
        memory_growth_of([MemorySample("s", 0, 80, 20), MemorySample("s", 100, 88, 20)], "s", 100).share == 88 / 80 - 1
    )


def test_memory_is_drawn(tmp_path: Path) -> None:
    draw_memory(tmp_path / "a.svg", taken(1, 2, 3), ("s",), "briefs")
    assert (tmp_path / "a.svg").read_text().rstrip().endswith("</svg>")
    assert [one.name for one in tmp_path.iterdir()] == ["a.svg"]
