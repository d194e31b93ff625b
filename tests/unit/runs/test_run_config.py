"""Tests a run's configuration: its defaults, its layers, and errors that name file, key and remedy."""

from pathlib import Path

import pytest
from google.protobuf import json_format

from ucoder.errors import Misconfigured
from ucoder.runs import run_config
from ucoder.v1 import config_pb2


def write(folder: Path, text: str) -> Path:
    file = folder / "run.yaml"
    file.write_text(text)
    return file


def test_the_defaults_set_every_key_themselves() -> None:
    import yaml

    values = yaml.safe_load((run_config.PRESETS / "default.yaml").read_text())

    def complete(values: dict, descriptor) -> None:
        for field in descriptor.fields:
            assert field.name in values, f"{descriptor.name}.{field.name}"
            if field.message_type and not field.message_type.GetOptions().map_entry:
                complete(values[field.name], field.message_type)

    complete(values, config_pb2.RunConfig.DESCRIPTOR)


@pytest.mark.parametrize("preset", run_config.presets())
def test_every_preset_is_valid(preset: str) -> None:
    assert run_config.load(preset=preset).loop.briefs > 0


def test_a_file_and_a_preset_name_only_what_differs(tmp_path: Path) -> None:
    chosen = run_config.load(write(tmp_path, "loop: {briefs: 7}"), "demo", {"seed": 9})
    assert (chosen.loop.briefs, chosen.loop.iterations, chosen.seed, chosen.gate.patience) == (7, 2, 9, 1)


def test_a_written_configuration_reads_back(tmp_path: Path) -> None:
    chosen = run_config.load(preset="demo", overrides={"seed": 2**63})
    assert run_config.load(write(tmp_path, run_config.dump(chosen))) == chosen


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("loop: {brief: 3}", "unknown key loop.brief; did you mean loop.briefs?"),
        ("nonsense: 1", "unknown key nonsense;"),
        ("loop: {briefs: 0}", "loop.briefs: 0 is less than 1."),
        ("loop: 3", "loop needs keys of its own below it, not 3."),
        ("loop: {briefs: many}", "briefs"),
        ("- a\n- b", "expected keys and values, not a list."),
        ("loop: {briefs: 1", "not YAML"),
        ("problems: {min_difficulty: 4, max_difficulty: 2}", "min_difficulty is above"),
        ("training: {start: START_LAST, lora: {rank: 4, adapter: true}}", "an adapter cannot be the base of the next"),
        ("training: {start: START_NOWHERE}", "START_NOWHERE"),
        (
            "evaluation: {benchmark: a/b.jsonl, dev: a/../a/b.jsonl}",
            "evaluation.dev: a/../a/b.jsonl is evaluation.bench",
        ),
    ],
)
def test_a_mistake_is_named_with_its_file(tmp_path: Path, text: str, words: str) -> None:
    with pytest.raises(Misconfigured) as caught:
        run_config.load(write(tmp_path, text))
    assert words in str(caught.value)
    assert "run.yaml" in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_missing_file_and_an_unknown_preset_are_named(tmp_path: Path) -> None:
    with pytest.raises(Misconfigured, match="No such file"):
        run_config.load(tmp_path / "absent.yaml")
    with pytest.raises(Misconfigured, match="choose one of default, demo"):
        run_config.load(preset="dmo")


def test_a_configuration_survives_json() -> None:
    chosen = run_config.load(preset="demo")
    assert json_format.Parse(json_format.MessageToJson(chosen), config_pb2.RunConfig()) == chosen
