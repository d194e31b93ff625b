"""Tests that a laptop needs no settings and that a wrong one is named."""

import pytest

from ucoder.errors import Misconfigured
from ucoder.runtime.settings import load


def test_a_laptop_needs_no_settings() -> None:
    assert load({}).model_url == "local"


def test_upper_and_lower_case_variables_are_read() -> None:
    assert load({"UCODER_CELLS": "3"}).cells == 3
    assert load({"ucoder_cells": "4"}).cells == 4


def test_a_flag_takes_precedence_over_the_environment() -> None:
    assert load({"UCODER_LISTEN": "127.0.0.1:1"}, listen="127.0.0.1:2").listen == "127.0.0.1:2"


@pytest.mark.parametrize(
    ("environment", "words"),
    [
        ({"UCODER_STORE_URLS": "x"}, "UCODER_STORE_URLS is not a setting; did you mean UCODER_STORE_URL?"),
        ({"UCODER_ZZZZ": "x"}, "UCODER_ZZZZ is not a setting; `ucoder settings` lists them all."),
        ({"UCODER_CELLS": "none"}, "UCODER_CELLS='none': input should be a valid integer"),
        ({"UCODER_CELLS": "0"}, "UCODER_CELLS='0': input should be greater than or equal to 1"),
        ({"UCODER_ISOLATION": "docker"}, "UCODER_ISOLATION='docker': input should be 'auto', 'runsc'"),
    ],
)
def test_a_wrong_variable_is_named_with_the_remedy(environment: dict[str, str], words: str) -> None:
    with pytest.raises(Misconfigured, match="UCODER_") as caught:
        load(environment)
    assert words in str(caught.value)
    assert "\n" not in str(caught.value)


def test_the_api_key_is_not_printed() -> None:
    assert "hunter2" not in repr(load({"UCODER_MODEL_API_KEY": "hunter2"}))
