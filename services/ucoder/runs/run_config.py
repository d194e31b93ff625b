"""Reads and checks a run's configuration: defaults, then a preset, then a file, each naming only what differs."""

import difflib
import os
from importlib import resources
from pathlib import Path
from typing import Any

import yaml
from google.protobuf import json_format
from google.protobuf.descriptor import Descriptor

from ucoder.errors import Misconfigured, Reject
from ucoder.runtime.validation import validate
from ucoder.v1 import config_pb2

PRESETS = resources.files("ucoder.runs") / "presets"


def presets() -> list[str]:
    """Returns the names of the presets that ship with ucoder."""
    return sorted(entry.name.removesuffix(".yaml") for entry in PRESETS.iterdir() if entry.name.endswith(".yaml"))


def load(
    file: Path | None = None, preset: str | None = None, overrides: dict[str, Any] | None = None
) -> config_pb2.RunConfig:
    """Returns the default preset, overlaid by `preset`, then by the file, then by `overrides`.

    Raises Misconfigured naming the file, the key and, for a mistyped key, the nearest known one.
    """
    values = _read_yaml(str(PRESETS / "default.yaml"), (PRESETS / "default.yaml").read_text())
    if preset is not None:
        if preset not in presets():
            raise Misconfigured(f"there is no preset {preset}; choose one of {', '.join(presets())}.")
        values = _overlay(values, _read_yaml(preset, (PRESETS / f"{preset}.yaml").read_text()))
    if file is not None:
        try:
            values = _overlay(values, _read_yaml(str(file), file.read_text()))
        except OSError as error:
            raise Misconfigured(f"{file}: {error.strerror}.") from None
        except UnicodeDecodeError:
            raise Misconfigured(f"{file}: not a text file.") from None
    return parse(_overlay(values, overrides or {}), str(file or preset or "configuration"))


def parse(values: dict[str, Any], source: str) -> config_pb2.RunConfig:
    """Returns a configuration made of plain values, such as YAML gives.

    Raises Misconfigured when a key is unknown, or a value has the wrong type or is out of range.
    """
    _check_keys(values, config_pb2.RunConfig.DESCRIPTOR, source, "")
    try:
        config = json_format.ParseDict(values, config_pb2.RunConfig())
        validate(config)
    except json_format.ParseError as error:
        raise Misconfigured(f"{source}: {str(error).splitlines()[0]}") from None
    except Reject as error:
        raise Misconfigured(f"{source}: {error}") from None
    if config.problems.min_difficulty > config.problems.max_difficulty:
        raise Misconfigured(f"{source}: problems.min_difficulty is above problems.max_difficulty.")
    training = config.training
    if training.lora.rank and training.lora.adapter and training.start == config_pb2.TrainingConfig.START_LAST:
        raise Misconfigured(
            f"{source}: training.lora.adapter needs training.start: START_BASE, because an adapter"
            " cannot be the base of the next; or set training.lora.adapter: false, which merges it."
        )
    refuse_shared_tasks(config, f"{source}: ")
    return config


def refuse_shared_tasks(config: config_pb2.RunConfig, source: str = "") -> None:
    """Raises Misconfigured when one file is both dev split and benchmark.

    The evaluator compares the tasks of files that differ.
    """
    reported, dev = config.evaluation.benchmark, config.evaluation.dev
    if dev != "seed" and os.path.realpath(reported) == os.path.realpath(dev):
        raise Misconfigured(
            f"{source}evaluation.dev: {dev} is evaluation.benchmark too. Give another file, because the gate "
            "must not choose on the tasks that are reported."
        )


def dump(config: config_pb2.RunConfig) -> str:
    """Returns the configuration as YAML that `load` reads back."""
    values = json_format.MessageToDict(
        config, preserving_proto_field_name=True, always_print_fields_with_no_presence=True
    )
    values["seed"] = int(values["seed"])  # protobuf's JSON writes 64-bit numbers as strings
    return yaml.safe_dump(values, sort_keys=False)


def _read_yaml(source: str, text: str) -> dict[str, Any]:
    try:
        values = yaml.safe_load(text)
    except yaml.YAMLError as error:
        where = getattr(error, "problem_mark", None)
        line = f":{where.line + 1}" if where else ""
        raise Misconfigured(f"{source}{line}: not YAML: {getattr(error, 'problem', error)}.") from None
    if values is None:
        return {}
    if not isinstance(values, dict):
        raise Misconfigured(f"{source}: expected keys and values, not a {type(values).__name__}.")
    return values


def _overlay(below: dict[str, Any], above: dict[str, Any]) -> dict[str, Any]:
    merged = dict(below)
    for key, value in above.items():
        both = isinstance(value, dict) and isinstance(merged.get(key), dict)
        merged[key] = _overlay(merged[key], value) if both else value
    return merged


def _check_keys(values: dict[str, Any], descriptor: Descriptor, source: str, path: str) -> None:
    """Raises Misconfigured for a key that the schema does not have. `path` is where `values` are, as in `loop.`."""
    fields = descriptor.fields_by_name
    for key, value in values.items():
        if key not in fields:
            near = difflib.get_close_matches(str(key), fields, 1)
            hint = f"did you mean {path}{near[0]}?" if near else f"{path or 'the file '}has {', '.join(fields)}."
            raise Misconfigured(f"{source}: unknown key {path}{key}; {hint}")
        inner = fields[key].message_type
        if inner is not None and not inner.GetOptions().map_entry:
            if not isinstance(value, dict):
                raise Misconfigured(f"{source}: {path}{key} needs keys of its own below it, not {value!r}.")
            _check_keys(value, inner, source, f"{path}{key}.")
