"""served_model -> evaluation: the benchmark that is reported, and the dev split that the gate decides on."""

import time

from ucoder.evaluator.benchmarks import load
from ucoder.evaluator.benchmarks.separation import separate
from ucoder.evaluator.row_precision import selection_precision
from ucoder.evaluator.served_scores import entropy_and_distinct, measure
from ucoder.evaluator.service import Service
from ucoder.runtime.storage.artifacts import name_of
from ucoder.v1 import artifacts_pb2 as pb


async def run(service: Service, served: pb.ServedModel, run: pb.Run) -> pb.Evaluation:
    """The scores of one checkpoint."""
    started = time.perf_counter()
    config, profile = run.config.evaluation, run.config.model.profile
    judge = service.judge(run.config.execution)
    tasks = load(config.benchmark, config.benchmark_format)
    dev_tasks = load(config.dev, config.dev_format, dev=True)
    separate(tasks, dev_tasks)
    reported = await measure(
        service.model, judge, tasks, served.model, profile, config,
        label="benchmark", samples=config.samples,
    )  # fmt: skip
    dev = await measure(
        service.model, judge, dev_tasks, served.model, profile, config,
        label="dev", samples=config.dev_samples, cool=False,
    )  # fmt: skip
    entropy, distinct = entropy_and_distinct(reported.programs)
    evaluation = pb.Evaluation(
        served=served, scores=[*reported.scores, *dev.scores], entropy_bits=entropy, distinct=distinct
    )
    if config.probe:
        evaluation.probe.CopyFrom(await service.probing(judge, run.config).probe(served.model, dev.answers))
    if served.checkpoint.iteration and profile == "seed":
        dataset = await service.artifacts.get(pb.Dataset, run.id, name_of(served))
        precision, labelled = await selection_precision(service.artifacts, judge, dataset)
        evaluation.labelled = labelled
        if labelled:
            evaluation.selection_precision = precision
    evaluation.seconds = time.perf_counter() - started
    return evaluation
