"""What a service grew by, of samples whose answer is known."""

from pathlib import Path

from ucoder_development.memory_growth import Sample, draw, growth


def taken(*sizes: float) -> list[Sample]:
    """One sample of a service after each tenth of 100 pieces of work."""
    return [Sample("s", 10 * number, mb, 20) for number, mb in enumerate(sizes)]


def test_growth_is_from_the_warm_tenth_to_the_last() -> None:
    found = growth(taken(50, 100, 100, 300, 100, 100, 100, 100, 100, 105, 105), "s", 100)
    assert (found.warm_mb, found.end_mb, round(found.share, 3)) == (100, 105, 0.05)
    assert (found.warm_descriptors, found.end_descriptors) == (20, 20)


def test_one_moment_does_not_decide() -> None:
    samples = [*taken(*[100.0] * 11), Sample("s", 98, 500, 90), Sample("s", 99, 100, 20), Sample("other", 95, 1, 1)]
    found = growth(samples, "s", 100)
    assert (found.share, found.end_descriptors) == (0, 20)


def test_work_of_one_moment_is_compared_with_itself() -> None:
    assert growth([Sample("s", 0, 80, 20), Sample("s", 100, 88, 20)], "s", 100).share == 88 / 80 - 1


def test_memory_is_drawn(tmp_path: Path) -> None:
    draw(tmp_path / "a.svg", taken(1, 2, 3), ("s",), "briefs")
    assert (tmp_path / "a.svg").read_text().rstrip().endswith("</svg>")
    assert [one.name for one in tmp_path.iterdir()] == ["a.svg"]
