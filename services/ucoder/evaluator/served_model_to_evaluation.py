"""The arrow served_model -> evaluation: scores on the benchmark that is reported and the dev split that decides."""

import time
from dataclasses import replace

from ucoder.core import diversity
from ucoder.evaluator.benchmark_scores import benchmark_scores
from ucoder.evaluator.benchmarks.dev_split import load_with_dev_split
from ucoder.evaluator.row_precision import row_precision
from ucoder.evaluator.service import Service
from ucoder.evaluator.task_answers import ModelSampling, in_order
from ucoder.runtime.storage.artifacts import name_of
from ucoder.v1 import artifacts_pb2 as pb


async def run(service: Service, served: pb.ServedModel, run: pb.Run) -> pb.Evaluation:
    """Returns the scores of one checkpoint, and whether its programs have become less diverse."""
    started = time.perf_counter()
    config, profile = run.config.evaluation, run.config.model.profile
    judge = service.judge(run.config.execution)
    tasks, dev_tasks = load_with_dev_split(config)
    sampling = ModelSampling.of(service.model, served.model, profile, config)
    dev_sampling = replace(sampling, samples=config.dev_samples, cool=None)
    answers = await in_order(sampling.answers(judge, tasks), tasks)
    dev_answers = await in_order(dev_sampling.answers(judge, dev_tasks), dev_tasks)
    sampled = diversity.measure([judged.program for answered in answers for judged in answered.sampled])
    evaluation = pb.Evaluation(
        served=served,
        scores=[*benchmark_scores("benchmark", answers), *benchmark_scores("dev", dev_answers)],
        entropy_bits=sampled.token_entropy_bits,
        distinct=sampled.distinct,
    )
    if config.probe:
        evaluation.probe.CopyFrom(await service.probe(judge, run.config).measure(served.model, dev_answers))
    if served.checkpoint.iteration and profile == "seed":
        dataset = await service.artifacts.get(pb.Dataset, run.id, name_of(served))
        precision, labelled = await row_precision(service.artifacts, judge, dataset)
        evaluation.labelled = labelled
        if labelled:
            evaluation.selection_precision = precision
    evaluation.seconds = time.perf_counter() - started
    return evaluation
