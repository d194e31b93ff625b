"""Checks messages against the rules beside their fields (protos/ucoder/v1/rules.proto).

It does not use protovalidate, whose wheel has neither its .proto file nor classes that google's protobuf can import.
"""

import math
import re
from functools import cache
from typing import Any

from google.protobuf.descriptor import Descriptor, FieldDescriptor
from google.protobuf.message import Message

from ucoder.errors import Reject
from ucoder.v1 import rules_pb2


def validate(message: Message, at: str = "") -> None:
    """Raises Reject naming the first field that breaks its rule, e.g. `config.loop.iterations: 0 is less than 1`."""
    for field, rules, nested in _plan(message.DESCRIPTOR):
        path = f"{at}.{field.name}" if at else field.name
        value = getattr(message, field.name)
        present = bool(value) if field.is_repeated or not field.has_presence else message.HasField(field.name)
        if rules and rules.required and not present:
            raise Reject(f"{path}: required, and missing.")
        if not present and (field.has_presence or field.is_repeated):
            continue
        if rules:
            _check(path, field, rules, value)
        if nested:
            for index, inner in enumerate(value) if field.is_repeated else ((-1, value),):
                validate(inner, path if index < 0 else f"{path}[{index}]")


@cache
def _plan(descriptor: Descriptor) -> tuple[tuple[FieldDescriptor, rules_pb2.Rules | None, bool], ...]:
    """Returns the fields of a message type that have anything to check, so that the others cost nothing."""
    plan = []
    for field in descriptor.fields:
        options = field.GetOptions()
        rules = options.Extensions[rules_pb2.rules] if options.HasExtension(rules_pb2.rules) else None
        if rules is None and field.cpp_type in (FieldDescriptor.CPPTYPE_DOUBLE, FieldDescriptor.CPPTYPE_FLOAT):
            rules = rules_pb2.Rules()  # without any rule a float must still be a number
        inner = field.message_type
        nested = bool(inner and not inner.GetOptions().map_entry and not inner.full_name.startswith("google."))
        if rules or nested:
            plan.append((field, rules, nested))
    return tuple(plan)


def _check(path: str, field: FieldDescriptor, rules: rules_pb2.Rules, value: Any) -> None:
    if rules.HasField("max_len") and len(value) > rules.max_len:
        raise Reject(f"{path}: {len(value)} is longer than {rules.max_len}.")
    for item in value if field.is_repeated else (value,):
        if isinstance(item, float) and math.isnan(item):
            raise Reject(f"{path}: not a number.")
        if rules.HasField("min") and item < rules.min:
            raise Reject(f"{path}: {item:g} is less than {rules.min:g}.")
        if rules.HasField("max") and item > rules.max:
            raise Reject(f"{path}: {item:g} is more than {rules.max:g}.")
        if rules.pattern and item and not re.fullmatch(rules.pattern, item):
            raise Reject(f"{path}: {item[:80]!r} does not match {rules.pattern}.")
