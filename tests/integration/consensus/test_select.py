"""Select, SelectStream and Cluster over a socket, with real programs in a real sandbox."""

import asyncio
import time

import grpc
import pytest

from ucoder.v1 import artifacts_pb2 as pb
from ucoder.v1 import config_pb2, consensus_pb2

pytestmark = pytest.mark.asyncio(loop_scope="module")

RIGHT = "def double(x: int) -> int:\n    return x * 2\n"
ALSO_RIGHT = "def double(x: int) -> int:\n    return x + x\n"
WRONG = "def double(x: int) -> int:\n    return x * x\n"
LOOPS = "def double(x: int) -> int:\n    while True:\n        pass\n"
RAISES = "def double(x: int) -> int:\n    raise ValueError(x)\n"
PROMPT = 'def double(x: int) -> int:\n    """Twice x.\n\n    >>> double(3)\n    6\n    """\n'
TESTS = [pb.TestCase(code=f"assert double({n}) == {2 * n}") for n in range(1, 6)]


def request_for(programs: list[str], **fields: object) -> consensus_pb2.SelectRequest:
    return consensus_pb2.SelectRequest(**{"programs": programs, "tests": TESTS, "entry_point": "double", **fields})


async def refusal(call: object) -> tuple[grpc.StatusCode, str]:
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await call  # type: ignore[misc]
    return caught.value.code(), caught.value.details() or ""


async def test_the_answer_has_winner_clusters_disagreements_plausibility_and_cost(stub) -> None:
    answer = await stub.Select(request_for([RIGHT, WRONG, ALSO_RIGHT, RIGHT]))
    verdict = answer.verdict
    assert verdict.selected in (0, 2, 3)
    assert sorted(verdict.clusters[0].members) == [0, 2, 3]
    assert (verdict.clusters[0].passed, verdict.clusters[1].passed) == (5, 1)
    assert 0 < verdict.margin <= verdict.confidence <= 1
    assert verdict.calibrated
    by_share = (
        await stub.Select(request_for([RIGHT, WRONG], selection=config_pb2.SelectionConfig(strategy="codet")))
    ).verdict
    assert (by_share.calibrated, by_share.confidence) == (False, 0.5)
    assert len(verdict.test_plausibility) == 5
    assert min(verdict.test_plausibility) > 0.5
    first = verdict.disagreements[0]
    assert (first.input, list(first.outputs)) == ("double(1)", ["2", "1"])
    assert list(first.tests) == ["assert double(1) == 2"]
    cost = answer.cost
    assert (cost.programs, cost.duplicates, cost.runs) == (3, 1, 15)
    assert cost.execution_seconds > 0
    assert (answer.finished, answer.stopped, answer.change) == (4, "", 0)


async def test_each_program_that_fails_has_its_reason(stub) -> None:
    fenced = f"Sure:\n```python\n{RIGHT}```\n"
    answer = await stub.Select(
        request_for([RIGHT, "def triple(x): return 3 * x", WRONG, fenced, "import nothing_here"])
    )
    assert answer.verdict.selected in (0, 3)
    assert sorted(answer.verdict.clusters[0].members) == [0, 3]
    assert [(one.program, one.cause) for one in answer.reasons] == [
        (1, "no_function"),
        (2, "wrong"),
        (4, "needs_package"),
    ]
    assert answer.reasons[0].words == "defines no function double; it defines triple"
    assert answer.explanation == ""
    broken = await stub.Select(request_for(["def double(x:", RAISES, "def double(x):\n  retrun 2 * x"]))
    assert broken.verdict.abstained
    assert broken.explanation.startswith(
        "None of the 3 programs can be selected. The commonest cause, 2 of 3: it has a"
    )


async def test_without_tests_the_example_and_synthesised_inputs_are_run(stub) -> None:
    programs = [WRONG, RIGHT, ALSO_RIGHT]
    answer = await stub.Select(consensus_pb2.SelectRequest(programs=programs, prompt=PROMPT, inputs=20))
    assert answer.verdict.selected in (1, 2)
    assert answer.entry_point == "double"
    assert answer.tests[0].code == "assert double(3) == 6"
    assert len(answer.tests) == 20
    again = await stub.Select(consensus_pb2.SelectRequest(programs=programs, prompt=PROMPT, inputs=20))
    assert [test.code for test in again.tests] == [test.code for test in answer.tests]
    other = await stub.Select(consensus_pb2.SelectRequest(programs=programs, prompt=PROMPT, inputs=20, seed=1))
    assert [test.code for test in other.tests] != [test.code for test in answer.tests]


async def test_without_tests_and_types_the_error_names_what_is_missing(stub) -> None:
    code, words = await refusal(stub.Select(consensus_pb2.SelectRequest(programs=["def f(x):\n    return x.y\n"])))
    assert code == grpc.StatusCode.INVALID_ARGUMENT
    assert "parameter x: neither annotation nor example nor use tells its type" in words
    code, words = await refusal(stub.Select(consensus_pb2.SelectRequest(programs=["print(1)"])))
    assert "neither the prompt nor any program defines a function" in words
    code, words = await refusal(stub.Select(consensus_pb2.SelectRequest(programs=["x"], language="javascript")))
    assert "Python only" in words


async def test_every_unusual_set_of_programs_has_an_answer(stub) -> None:
    code, words = await refusal(stub.Select(request_for([])))
    assert (code, words) == (grpc.StatusCode.INVALID_ARGUMENT, "programs: required, and missing.")
    alone = (await stub.Select(request_for([RIGHT]))).verdict
    assert alone.selected == 0
    assert [list(c.members) for c in alone.clusters] == [[0]]
    failing = (
        await stub.Select(request_for([RAISES, "def double(:", "", "\0", RAISES.replace("x)\n", "x, x)\n")]))
    ).verdict
    assert failing.abstained
    assert failing.reason == "nothing_eligible"
    assert not failing.HasField("selected")
    assert len(failing.clusters) == 5
    one_right = (await stub.Select(request_for([RAISES, "def double(:", RIGHT]))).verdict
    assert one_right.selected == 2


async def test_ten_thousand_programs_and_programs_of_a_megabyte(stub) -> None:
    many = [RIGHT if n % 3 else WRONG for n in range(10_000)]
    answer = await stub.Select(request_for(many))
    assert answer.verdict.selected % 3 != 0
    assert (answer.finished, answer.cost.programs, answer.cost.duplicates) == (10_000, 2, 9_998)
    padding = "# " + "x" * (1 << 20) + "\n"
    answer = await stub.Select(request_for([padding + RIGHT, padding + WRONG, padding + ALSO_RIGHT, RIGHT]))
    assert answer.verdict.selected in (0, 2, 3)
    assert sorted(answer.verdict.clusters[0].members) == [0, 2, 3]
    code, _ = await refusal(stub.Select(request_for([RIGHT] * 10_001)))
    assert code == grpc.StatusCode.INVALID_ARGUMENT


async def test_a_wrong_request_is_refused_before_anything_runs(stub) -> None:
    for fields, words in (
        ({"mean_log_probs": [0.0]}, "mean_log_probs: 1 for 2 programs."),
        ({"selection": config_pb2.SelectionConfig(strategy="luck")}, "no strategy is called 'luck'"),
        ({"selection": config_pb2.SelectionConfig(strategy="codet", options={"nope": 1})}, "unknown option 'nope'"),
    ):
        started = time.perf_counter()
        code, said = await refusal(stub.Select(request_for([RIGHT, LOOPS], **fields)))
        assert code == grpc.StatusCode.INVALID_ARGUMENT
        assert words in said
        assert time.perf_counter() - started < 1


async def test_a_test_that_calls_nothing_is_refused_by_its_number(stub) -> None:
    idle = pb.TestCase(code="def test_it():\n    assert helper() == 1\n\ndef helper():\n    return 1\n")
    request = consensus_pb2.SelectRequest(programs=[RIGHT, WRONG], tests=[TESTS[0], idle], entry_point="f")
    code, words = await refusal(stub.Select(request))
    assert code == grpc.StatusCode.INVALID_ARGUMENT
    assert "test 2 calls nothing of the program" in words


async def test_an_abstention_below_the_threshold_has_its_evidence(stub) -> None:
    config = config_pb2.SelectionConfig(strategy="default", min_confidence=0.9999)
    verdict = (await stub.Select(request_for([RIGHT, WRONG], selection=config))).verdict
    assert verdict.abstained
    assert verdict.reason == "below_min_confidence"
    assert not verdict.HasField("selected")
    assert len(verdict.clusters) == 2


async def test_a_stream_ends_when_the_remaining_programs_cannot_change_the_answer(stub) -> None:
    loops = [LOOPS.replace("pass", f"x += {n + 1}") for n in range(12)]
    agreeing = [RIGHT.replace("x * 2", f"x * 2 + {n} - {n}") for n in range(80)]
    request = consensus_pb2.SelectStreamRequest(select=request_for([*agreeing, *loops], max_change=0.02))
    started = time.perf_counter()
    answers = [answer async for answer in stub.SelectStream(request)]
    seconds = time.perf_counter() - started
    last = answers[-1]
    assert [answer.final for answer in answers] == [False] * (len(answers) - 1) + [True]
    assert last.answer.stopped == "settled"
    assert last.answer.change <= 0.02
    assert last.answer.finished < 92
    assert last.answer.verdict.selected < 80
    assert seconds < 20  # twelve loops of two timed-out tests each would take at least 24 s in one cell


async def test_a_partial_answer_arrives_before_the_deadline_and_is_marked(stub) -> None:
    agreeing = [RIGHT.replace("x * 2", f"x * 2 + {n} - {n}") for n in range(100)]
    programs = [*agreeing, *(LOOPS.replace("pass", f"x += {n + 1}") for n in range(60))]
    await stub.Select(request_for([RIGHT]))  # a cell whose call was cancelled must start again
    answer = await stub.Select(request_for(programs, partial_seconds=60), timeout=6)
    assert answer.stopped == "partial"
    assert 40 <= answer.finished < 160
    assert answer.verdict.selected < 100
    assert answer.change > 0
    members = sorted(member for cluster in answer.verdict.clusters for member in cluster.members)
    assert len(members) == answer.finished
    code, _ = await refusal(stub.Select(request_for(programs), timeout=1))
    assert code == grpc.StatusCode.DEADLINE_EXCEEDED


async def test_a_cancelled_call_stops_its_programs(stub) -> None:
    loops = [LOOPS.replace("pass", f"x += {n + 1}") for n in range(40)]
    call = stub.Select(request_for(loops))
    await asyncio.sleep(1.0)
    call.cancel()
    started = time.perf_counter()
    answer = await stub.Select(request_for([RIGHT]))
    assert answer.verdict.selected == 0
    assert time.perf_counter() - started < 30  # the service does not wait for forty loops of two seconds each


async def test_a_finished_matrix_needs_no_execution(stub) -> None:
    passed, failed, lost = pb.OUTCOME_PASSED, pb.OUTCOME_FAILED, pb.OUTCOME_INFRA_ERROR
    rows = [
        pb.Row(program=2, outcomes=[passed, lost], outputs=["2", ""]),
        pb.Row(program=0, outcomes=[passed, passed], outputs=["2", "4"]),
        pb.Row(program=1, outcomes=[failed, failed], outputs=["1", "9"]),
    ]
    request = consensus_pb2.ClusterRequest(rows=rows, tests=TESTS[:2])
    verdict = (await stub.Cluster(request)).verdict
    assert sorted(verdict.clusters[0].members) == [0, 2]
    assert list(verdict.disagreements[0].outputs) == ["2", "1"]
    code, words = await refusal(stub.Cluster(consensus_pb2.ClusterRequest(rows=rows[:2], tests=TESTS[:2])))
    assert (code, words) == (
        grpc.StatusCode.INVALID_ARGUMENT, "rows: need exactly one for each program, numbered from 0."
    )  # fmt: skip


async def test_a_caller_that_samples_in_rounds_receives_the_probability_of_a_change(stub) -> None:
    def request_for_clusters(clusters: list[int], total: int) -> consensus_pb2.ClusterRequest:
        kinds = [kind for kind, size in enumerate(clusters) for _ in range(size)]
        rows = [
            pb.Row(program=i, outcomes=[pb.OUTCOME_RETURNED] * 2, outputs=[str(kind), str(-kind)])
            for i, kind in enumerate(kinds)
        ]
        calls = [pb.TestCase(code="f(1)"), pb.TestCase(code="f(2)")]
        return consensus_pb2.ClusterRequest(rows=rows, tests=calls, total=total)

    clear, close = (
        await stub.Cluster(request_for_clusters([15, 1], 32)),
        await stub.Cluster(request_for_clusters([6, 5, 5], 32)),
    )
    assert clear.change < 0.05 < 0.3 < close.change
    assert (await stub.Cluster(request_for_clusters([6, 5, 5], 0))).change == 0.0, "there are no more programs"
    other = request_for_clusters([15, 1], 32)
    other.selection.strategy = "codet"
    assert (await stub.Cluster(other)).change == 1.0, "another strategy has no forecast"
    code, words = await refusal(stub.Cluster(request_for_clusters([3, 1], 2)))
    assert (code, words) == (grpc.StatusCode.INVALID_ARGUMENT, "total: 2 for 4 rows.")


async def test_the_bound_of_theorem_2_4_is_part_of_the_verdict_on_request(stub) -> None:
    programs = [RIGHT, ALSO_RIGHT, WRONG, WRONG.replace("x * x", "x - 2")]
    assert not (await stub.Select(request_for(programs))).verdict.HasField("theorem_bound")
    bound = (await stub.Select(request_for(programs, theorem_bound=True))).verdict.theorem_bound
    assert (bound.programs, bound.tests, bound.collision_rate) == (4, 5, 0)
    assert (bound.printed, bound.delta) == (0.95, 0.05)
    assert len(bound.premises) == 4
    assert bound.sentence.startswith("Theorem 2.4: 4 programs, 5 tests")
