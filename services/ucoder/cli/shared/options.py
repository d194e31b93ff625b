"""The flags and arguments that several commands take, each declared once."""

from pathlib import Path
from typing import Annotated

from typer import Argument, Option

from ucoder.errors import Misconfigured

JsonFlag = Annotated[bool, Option("--json", help="Print JSON instead of tables.")]
SeedFlag = Annotated[int, Option(min=0, help="Seed of every random choice: the same seed gives the same result.")]
PlotFlag = Annotated[Path | None, Option(metavar="FILE", help="Draw a plot into this .png, .svg or .pdf file.")]

# Questions, and the sandbox that runs their programs.
QuestionsArgument = Annotated[
    Path, Argument(metavar="IN.jsonl[.gz]", help="One question a line: id, candidates: [{code}], tests: [{code}].")
]
MinConfidenceFlag = Annotated[float, Option(min=0, max=1, help="Select no program when the confidence is below this.")]
IsolationFlag = Annotated[
    str | None, Option(help="runsc, bubblewrap, pod or none. Default: the strongest that works here.")
]
CellsFlag = Annotated[int | None, Option(min=1, help="Sandbox cells that work at once. Default: one per core.")]
PackagesFlag = Annotated[
    Path | None, Option(help="Packages that programs may import, made by: pip install --target FOLDER numpy ...")
]

# Services that run elsewhere.
ConsensusFlag = Annotated[str | None, Option(help="host:port of a ConsensusService. Default: one inside this command.")]
ConsensusTokenFlag = Annotated[
    Path | None, Option("--token-file", help="File that holds the caller's token for --consensus.")
]
AddressFlag = Annotated[str | None, Option("--address", help="host:port of the RunService. Default: UCODER_LISTEN.")]
AddressTokenFlag = Annotated[
    Path | None, Option("--token-file", help="File that holds the caller's token for --address.")
]

# Configuration of a run.
ConfigFlag = Annotated[
    Path | None, Option(help="YAML file that names only what differs from the defaults or the preset.")
]
PresetFlag = Annotated[str | None, Option(help="Shipped configuration: `demo` fits a laptop.")]
RUN = "run"
"""Id of the only run in a run folder."""

# Models and how they are asked.
ProfileFlag = Annotated[
    str | None, Option(help="Prompts: seed, base or chat. Default: seed for a seed model, otherwise base.")
]
ModelNameFlag = Annotated[
    str | None, Option(help="Name of the model on that server. Default: the first that the server lists.")
]
SamplesFlag = Annotated[int, Option("-n", min=1, max=10_000, help="Samples that a model gives for each task.")]
TemperatureFlag = Annotated[
    float | None, Option(min=0, max=2, help="Temperature of these samples. Default: 0.8. 0: one greedy answer.")
]

# The stages of the loop, each alone: `ucoder generate ...`.
ModelFlag = Annotated[
    str, Option(help="`seed`, a model folder, or an OpenAI-compatible server such as http://127.0.0.1:8000/v1.")
]
SamplingConfigFlag = Annotated[Path | None, Option("--config", help="YAML file of a run, for its sampling and limits.")]
ProblemsArgument = Annotated[
    Path, Argument(metavar="IN.jsonl[.gz]", help="One problem a line: id, prompt, entry_point.")
]
LinesOutFlag = Annotated[Path, Option("-o", "--out", help="File for the lines; .gz is compressed.")]

# Measurements: `ucoder bench ...`.
TaskCountFlag = Annotated[
    int | None, Option("--tasks", min=1, help="Use only this many questions of the file. Default: all.")
]
PromptCountFlag = Annotated[int, Option("--prompts", min=1, help="Prompts, from the shipped dev split.")]
CompletionCountFlag = Annotated[int, Option("--samples", min=1, help="Completions of each prompt.")]
BenchModelFlag = Annotated[str, Option("--model", help="`seed`, a model folder, or the name of a served model.")]
BenchProfileFlag = Annotated[str, Option("--profile", help="Prompt profile: seed, base or chat.")]

# Texts that the help of several commands repeats.
MODELS = "`seed`, a model folder, the name of a model at UCODER_MODEL_URL, or URL[#NAME] of an OpenAI-compatible server"
BENCHMARKS = (
    "seed (shipped with ucoder), humaneval, humaneval_plus, mbpp, mbpp_plus, livecodebench, bigcodebench, "
    "bigcodebench_instruct, fullstackbench (its Python part)"
)


def read_token(file: Path | None) -> str:
    """Returns the token in the file of a --token-file flag, or no text. Misconfigured when it cannot be read."""
    try:
        return file.read_text().strip() if file else ""
    except OSError as error:
        raise Misconfigured(f"--token-file {file}: {error.strerror}.") from None
