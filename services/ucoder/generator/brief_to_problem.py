"""Arrow brief -> problem: invents the problem that a brief asks for, new in this run and in no benchmark."""

import json
from dataclasses import asdict

from ucoder.core.drop_reasons import ALREADY_POSED
from ucoder.generator.novelty import Novelty
from ucoder.generator.problem_invention import ProblemChecks, invent_problem
from ucoder.generator.service import Service
from ucoder.models.token_counts import TokenCounter
from ucoder.runtime.messaging.arrow_worker import Dropped
from ucoder.runtime.messaging.ledger import REPEATED, reason_of_limit
from ucoder.runtime.storage.artifacts import name_of
from ucoder.v1 import artifacts_pb2 as pb


async def run(service: Service, brief: pb.Brief, run: pb.Run) -> pb.Problem | Dropped:
    """Returns the problem of one brief. Of two briefs that invent the same problem, exactly one gets it.

    Refused attempts are stored in `<run>/refused/`, one file for each, for the report.
    """
    if limit := await service.ledger.reached_limit(run, brief.iteration):
        return Dropped(reason_of_limit(limit))
    config, store, name = run.config, service.artifacts.store, name_of(brief)
    known = service.decontamination(config.evaluation.benchmark, config.evaluation.dev, *config.problems.decontaminate)
    novelty = Novelty(store, run.id, config.problems.near_duplicate)
    checks = ProblemChecks(novelty, name, known, service.call_returns)
    model = TokenCounter(service.model)
    problem = await invent_problem(model, brief, config.problems, config.model.profile, checks)
    for refusal in checks.refused:
        key = f"{run.id}/refused/{name}-{refusal.attempt}.json"
        await store.create(key, json.dumps({"brief": name} | asdict(refusal)).encode())
    repeated = sum(refusal.reason in ALREADY_POSED for refusal in checks.refused)
    await service.ledger.record(brief, "problem", {"tokens-problem": model.tokens, REPEATED: repeated})
    return problem
