"""Stage 5a of the paper: samples n programs for one problem, with their log-probabilities."""

from ucoder.core.extraction import extract_program
from ucoder.models.prompts import Prompts
from ucoder.models.protocol import Completer, SamplingParameters
from ucoder.v1 import artifacts_pb2 as pb
from ucoder.v1 import config_pb2


async def sample_solutions(
    model: Completer,
    name: str,
    problem: pb.Problem,
    config: config_pb2.CandidateConfig,
    profile: str,
    *,
    n: int,
    seed: int,
) -> list[pb.Candidate]:
    """Returns `n` candidates from the checkpoint called `name`; the same seed gives the same ones."""
    prompts = Prompts.load(profile, script=not problem.entry_point)
    completions = await model.complete(
        name,
        prompts.render("solution", problem=problem.prompt),
        n=n,
        sampling=SamplingParameters.of(config.sampling),
        stop=prompts.stop("solution"),
        seed=seed,
    )
    statement = problem.prompt if problem.entry_point else ""
    return [
        pb.Candidate(
            program=extract_program(completion.text, statement, problem.entry_point),
            completion=completion.text,
            mean_log_prob=completion.mean_log_prob,
            tokens=completion.tokens,
            finish=completion.finish,
        )
        for completion in completions
    ]
