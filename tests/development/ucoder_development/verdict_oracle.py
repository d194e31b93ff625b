"""`ucoder bench verdicts --part oracle`: compares the sandbox's verdicts with those of plain Python.

Each (program, test) pair of the corpus runs in a process of plain Python and in the sandbox. A difference has a kind;
the kinds that are meant are in a table of docs/explanation/verdict.md. A false pass is a pass that plain Python does
not give. The verdicts of plain Python are kept on disk by program and tests, so that a killed run goes on.
"""

import asyncio
import hashlib
import json
import os
import re
import sys
import time
from collections.abc import Sequence
from dataclasses import asdict, astuple, dataclass, field
from pathlib import Path

from ucoder.cli.shared.progress_bar import progress_bar
from ucoder.core.outcomes import Outcome
from ucoder.runtime.atomic import write_text
from ucoder.sandbox_runner.sandbox import Sandbox
from ucoder.sandbox_runner.sandbox_job import Limits, ProgramResult, SandboxJob
from ucoder_development.oracle_corpus import OracleGroup
from ucoder_development.plain_python import VERSION, PlainLimits, PlainVerdict, plain_verdict

PAGE = Path(__file__).parents[3] / "docs" / "explanation" / "verdict.md"
LIMITS = Limits(cpu_seconds=2.0, wall_seconds=20.0, give_up_after_timeouts=1_000_000)
"""No program is given up, because plain Python runs every test too."""
GROUPS_AT_ONCE = 4
_TIMEOUTS = (Outcome.TIMEOUT_CPU, Outcome.TIMEOUT_WALL)
_GOOD = (Outcome.PASSED, Outcome.RETURNED)


@dataclass(slots=True)
class OracleReport:
    """The numbers of one comparison."""

    rows: dict[str, int] = field(default_factory=dict)
    """(program, test) pairs by part of the corpus."""
    agreements: int = 0
    differences: dict[str, int] = field(default_factory=dict)
    """By kind, the number of pairs whose verdicts differ."""
    undocumented: list[str] = field(default_factory=list)
    """The pairs whose kind of difference is not in the table."""
    false_passes: list[str] = field(default_factory=list)
    """The pairs that passed here and do not pass in plain Python."""
    right_rows: dict[str, int] = field(default_factory=dict)
    """By part of the corpus, the pairs that plain Python passes."""
    unconfirmed_rows: dict[str, int] = field(default_factory=dict)
    """By part of the corpus, how many of these are unconfirmed here."""
    unconfirmed: list[str] = field(default_factory=list)
    """Of these, the pairs that are unconfirmed here."""
    unsupported: list[str] = field(default_factory=list)
    """Of these, the pairs that are unsupported here."""
    nondeterministic: list[str] = field(default_factory=list)
    """Pairs whose verdict changes with the hash seed of plain Python; they are not compared."""
    absent: list[str] = field(default_factory=list)
    """Parts of the corpus that are left out, each with the reason."""
    seconds: float = 0.0

    def lines(self) -> list[str]:
        """Returns the report for people."""
        total = sum(self.rows.values())
        lines = [
            f"{total} rows: " + ", ".join(f"{count} {source}" for source, count in self.rows.items()),
            f"{self.agreements} agree, {len(self.nondeterministic)} not compared (they change with the hash seed)",
            *(f"  {count} differ: {kind}" for kind, count in sorted(self.differences.items())),
            f"{len(self.false_passes)} false passes, {len(self.undocumented)} undocumented differences",
            *(
                f"of {right} {source} rows that plain Python passes, {self.unconfirmed_rows.get(source, 0)} are "
                f"unconfirmed ({self.unconfirmed_rows.get(source, 0) / right:.2%})"
                for source, right in self.right_rows.items()
            ),
            f"{len(self.unsupported)} rows that plain Python passes are unsupported",
            *(f"left out: {reason}" for reason in self.absent),
        ]
        for name in ("false_passes", "undocumented", "unconfirmed", "unsupported", "nondeterministic"):
            lines += [f"  {name}: {one}" for one in getattr(self, name)[:40]]
        return lines


def documented_kinds(page: str) -> dict[str, str]:
    """Returns, from the table under "What differs" of the page, the kinds of differences that are meant, each with its
    reason.
    """
    section = page.partition("\n## What differs")[2].partition("\n## ")[0]
    rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in section.splitlines() if line[:1] == "|"]
    return {re.sub("`", "", row[0]): row[-1] for row in rows[2:]}


def kind_of_difference(plain: PlainVerdict, here: Outcome) -> str:
    """Returns the kind of difference between two verdicts; the empty text where they agree."""
    if here == plain.outcome and plain.to_the_end:
        return ""
    if plain.outcome in _GOOD and plain.to_the_end and here in _GOOD:
        return ""
    if plain.outcome in _TIMEOUTS and here in _TIMEOUTS:
        return ""
    if here is Outcome.UNCONFIRMED and plain.outcome in _GOOD:
        return str(here)
    if here is Outcome.UNSUPPORTED and plain.outcome is Outcome.RETURNED:
        return "opaque output"
    if not plain.to_the_end and here in (Outcome.EXCEPTION, Outcome.CRASHED):
        return "early end"
    if here in _TIMEOUTS or plain.outcome in _TIMEOUTS:
        return "time limit"
    return f"{plain.outcome} ({plain.error or 'no error'}) here {here}"


async def compare_with_plain_python(
    groups: Sequence[OracleGroup], cache: Path, isolation: str, cells: int | None, kinds: dict[str, str]
) -> OracleReport:
    """Runs all groups in plain Python and in the sandbox. `kinds`: the differences that are meant."""
    report, started = OracleReport(), time.perf_counter()
    cache.mkdir(parents=True, exist_ok=True)
    at_once, processes = asyncio.Semaphore(GROUPS_AT_ONCE), asyncio.Semaphore(os.cpu_count() or 1)
    async with Sandbox.open(isolation=isolation, cells=cells, cache=0) as sandbox:
        with progress_bar("comparing", sum(group.rows for group in groups), "pairs") as advance:

            async def compare(group: OracleGroup) -> None:
                async with at_once:
                    here = await _sandbox_results(sandbox, group)
                    for number in range(len(group.programs)):
                        plain = await _plain_verdicts(group, number, cache, processes)
                        await _add(report, group, number, plain, here[number], kinds)
                        advance(len(group.tests))

            async with asyncio.TaskGroup() as tasks:
                for group in groups:
                    tasks.create_task(compare(group))
    report.seconds = round(time.perf_counter() - started, 1)
    return report


async def _sandbox_results(sandbox: Sandbox, group: OracleGroup) -> list[ProgramResult]:
    job = SandboxJob(group.programs, group.tests, group.entry_point, limits=LIMITS)
    return sorted([one async for one in sandbox.execute(job)], key=lambda one: one.program)


async def _plain_verdicts(
    group: OracleGroup, number: int, cache: Path, processes: asyncio.Semaphore
) -> list[PlainVerdict]:
    """Returns the verdicts of plain Python on all tests of one program, from the cache where they are known."""
    program, limits = group.programs[number], PlainLimits()
    identity = json.dumps([program, [asdict(test) for test in group.tests], asdict(limits), sys.version, VERSION])
    place = cache / f"{hashlib.sha256(identity.encode()).hexdigest()[:32]}.json"
    if place.exists():
        return [PlainVerdict(Outcome(outcome), *rest) for outcome, *rest in json.loads(place.read_text())]

    async def run(number: int) -> PlainVerdict:
        async with processes:
            return await plain_verdict(program, group.tests[number], limits)

    verdicts = list(await asyncio.gather(*map(run, range(len(group.tests)))))
    await asyncio.to_thread(write_text, place, json.dumps([astuple(one) for one in verdicts]))
    return verdicts


async def _add(
    report: OracleReport, group: OracleGroup, program: int, plain: list[PlainVerdict], here: ProgramResult,
    kinds: dict[str, str],
) -> None:  # fmt: skip
    """Adds one program's pairs to the report."""
    source = group.source
    report.rows[source] = report.rows.get(source, 0) + len(plain)
    for number, (verdict, outcome) in enumerate(zip(plain, here.outcomes, strict=True)):
        kind = kind_of_difference(verdict, outcome)
        name = f"{group.id}[{program}: {group.labels[program]}] test {number}: plain {verdict.outcome}"
        name += f" {verdict.error}" * bool(verdict.error) + f", here {outcome}"
        right = verdict.outcome in _GOOD and verdict.to_the_end
        if kind and outcome not in (Outcome.UNCONFIRMED, Outcome.UNSUPPORTED):
            again = [
                await plain_verdict(group.programs[program], group.tests[number], PlainLimits(), seed)
                for seed in ("0", "1", "2", "3")
            ]
            if any(one.outcome is not verdict.outcome for one in again):
                report.nondeterministic.append(name)
                continue
        if right:
            report.right_rows[source] = report.right_rows.get(source, 0) + 1
        if not kind:
            report.agreements += 1
            continue
        report.differences[kind] = report.differences.get(kind, 0) + 1
        if outcome is Outcome.PASSED and not right:
            report.false_passes.append(name)
        if kind not in kinds:
            report.undocumented.append(name)
        if right and outcome is Outcome.UNCONFIRMED:
            report.unconfirmed.append(name)
            report.unconfirmed_rows[source] = report.unconfirmed_rows.get(source, 0) + 1
        if right and outcome is Outcome.UNSUPPORTED:
            report.unsupported.append(name)


def sample(groups: Sequence[OracleGroup], step: int) -> list[OracleGroup]:
    """Returns every `step`-th program of all groups with its tests: always the same ones."""
    found, count = [], 0
    for group in groups:
        kept = [number for number in range(len(group.programs)) if (count + number) % step == 0]
        count += len(group.programs)
        if kept:
            programs, labels = (tuple(part[n] for n in kept) for part in (group.programs, group.labels))
            found.append(OracleGroup(group.id, group.source, group.entry_point, programs, labels, group.tests))
    return found
