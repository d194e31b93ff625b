"""One URL names who answers; torch stays out of every process but the workers."""

import itertools
import subprocess
import sys

import pytest

from ucoder.errors import Misconfigured
from ucoder.models import open_model
from ucoder.models.local.local_model import LocalModel
from ucoder.models.openai_model import MOST_PER_REQUEST, SEED_RANGE, server_seed
from ucoder.models.switching_model import SwitchingModel
from ucoder.runtime.settings import Settings


async def test_the_url_decides() -> None:
    for url, kind in (("local", LocalModel), ("local:3", LocalModel), ("http://127.0.0.1:1/v1", SwitchingModel)):
        model = open_model(Settings(model_url=url))
        assert isinstance(model, kind)
        await model.close()


@pytest.mark.parametrize("url", ["", "locale", "local:0", "local:two", "ftp://host", "127.0.0.1:8000/v1"])
def test_any_other_url_is_named(url: str) -> None:
    with pytest.raises(Misconfigured, match="UCODER_MODEL_URL"):
        open_model(Settings(model_url=url))


def test_importing_the_models_imports_no_torch() -> None:
    code = (
        "import sys, ucoder.models, ucoder.models.local.local_model, ucoder.models.openai_model;"
        "import ucoder.trainer.training_process;"
        "sys.exit('torch' in sys.modules or 'transformers' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_neighbouring_seeds_are_sent_far_apart() -> None:
    sent = sorted(server_seed(seed) for seed in range(1000))
    gaps = [b - a for a, b in itertools.pairwise(sent)]
    assert sum(gap < MOST_PER_REQUEST for gap in gaps) <= 2
    assert all(0 <= seed < SEED_RANGE for seed in sent)
