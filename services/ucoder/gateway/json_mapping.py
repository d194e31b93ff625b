"""The one mapping between the messages of the protos and JSON, in both directions, and the schema of it for OpenAPI.

Field names are those of the protos. An enum is its name without the prefix, in lower case (`passed`). Bytes are a text
where they are UTF-8, else `{"base64": "..."}`. A number that JSON does not have (infinity, NaN) is null.
"""

import base64
import binascii
import difflib
import math
from collections.abc import Iterable, Mapping
from typing import Any, TypeVar

from google.protobuf.descriptor import EnumDescriptor, FieldDescriptor
from google.protobuf.message import Message
from google.protobuf.message_factory import GetMessageClass

from ucoder.errors import Reject
from ucoder.v1 import rules_pb2

M = TypeVar("M", bound=Message)
Field = Any
"""A FieldDescriptor. The library has two classes of that name, and its stubs mix them."""
WHOLE, REAL = (
    {FieldDescriptor.CPPTYPE_INT32, FieldDescriptor.CPPTYPE_INT64}
    | {FieldDescriptor.CPPTYPE_UINT32, FieldDescriptor.CPPTYPE_UINT64},
    {FieldDescriptor.CPPTYPE_DOUBLE, FieldDescriptor.CPPTYPE_FLOAT},
)
INT64 = (FieldDescriptor.CPPTYPE_INT64, FieldDescriptor.CPPTYPE_UINT64)
DEEPEST = 32


def message_of(kind: type[M], value: Any, at: str = "") -> M:
    """Returns the message in a JSON value. Raises Reject that names the first field that is wrong."""
    if at.count(".") > DEEPEST:
        raise Reject(f"{at[:80]}: nested too deep.")
    descriptor = kind.DESCRIPTOR
    value = _shorthand(descriptor.name, value, at)
    if not isinstance(value, Mapping):
        raise Reject(f"{at or 'the body'}: expected an object, found {_kind(value)}.")
    fields = descriptor.fields_by_name
    message = kind()
    for key, given in value.items():
        path = f"{at}.{key}" if at else str(key)
        if key not in fields:
            near = difflib.get_close_matches(str(key), list(fields), 1)
            raise Reject(f"{path[:200]}: no such field; {f'did you mean {near[0]}?' if near else _listing(fields)}")
        if given is not None:
            _set(message, fields[key], given, path)
    return message


def json_of(message: Message) -> dict[str, Any]:
    """Returns a message as JSON values. A field that is absent is left out; one without presence is always there."""
    result: dict[str, Any] = {}
    fields: Iterable[Field] = message.DESCRIPTOR.fields
    for field in fields:
        if field.has_presence and not message.HasField(field.name):
            continue
        value = getattr(message, field.name)
        if _is_map(field):
            item = field.message_type.fields_by_name["value"]
            result[field.name] = {key: _json_value(item, one) for key, one in value.items()}
        elif field.is_repeated:
            result[field.name] = [_json_value(field, one) for one in value]
        else:
            result[field.name] = _json_value(field, value)
    return result


def schema_of(descriptor: Any, schemas: dict[str, Any]) -> dict[str, str]:
    """Returns a reference to the schema of a message type, which it adds to `schemas` with all that it needs."""
    if descriptor.name not in schemas:
        schemas[descriptor.name] = schema = {"type": "object", "additionalProperties": False, "properties": {}}
        required = []
        for field in descriptor.fields:
            options = field.GetOptions()
            rules = options.Extensions[rules_pb2.rules] if options.HasExtension(rules_pb2.rules) else rules_pb2.Rules()
            schema["properties"][field.name] = _field_schema(field, rules, schemas)  # type: ignore[index]
            if rules.required:
                required.append(field.name)
        if required:
            schema["required"] = required
    return {"$ref": f"#/components/schemas/{descriptor.name}"}


def _set(message: Message, field: Field, given: Any, path: str) -> None:
    if _is_map(field):
        if not isinstance(given, Mapping):
            raise Reject(f"{path}: expected an object, found {_kind(given)}.")
        item = field.message_type.fields_by_name["value"]
        for key, one in given.items():
            getattr(message, field.name)[str(key)] = _proto_value(item, one, f"{path}.{key}")
    elif field.is_repeated:
        if not isinstance(given, list | tuple):
            raise Reject(f"{path}: expected a list, found {_kind(given)}.")
        values = [_proto_value(field, one, f"{path}[{index}]") for index, one in enumerate(given)]
        getattr(message, field.name).extend(values)
    elif field.message_type is not None:
        getattr(message, field.name).CopyFrom(_proto_value(field, given, path))
    else:
        setattr(message, field.name, _proto_value(field, given, path))


def _proto_value(field: Field, given: Any, path: str) -> Any:
    """Returns a JSON value as a field or one element of it holds it. Raises Reject where its type is wrong."""
    if field.message_type is not None:
        return message_of(GetMessageClass(field.message_type), given, path)
    if field.enum_type is not None:
        names = {_enum_name(field.enum_type, one.name): one.number for one in field.enum_type.values}
        if not isinstance(given, str) or given.lower() not in names:
            raise Reject(f"{path}: expected one of {', '.join(names)}, found {given!r:.80}.")
        return names[given.lower()]
    kind = field.cpp_type
    if kind == FieldDescriptor.CPPTYPE_BOOL and isinstance(given, bool):
        return given
    if kind in WHOLE and isinstance(given, int | float) and not isinstance(given, bool) and given == int(given):
        low, high = (-(1 << 63), 1 << 63) if kind in INT64 else (-(1 << 31), 1 << 32)
        if low <= given < high and (given >= 0 or kind not in (FieldDescriptor.CPPTYPE_UINT32, INT64[1])):
            return int(given)
        raise Reject(f"{path}: {given} is out of range.")
    if kind in REAL and isinstance(given, int | float) and not isinstance(given, bool):
        try:
            return float(given)
        except OverflowError:
            raise Reject(f"{path}: {given!r:.40} is out of range.") from None
    if field.type == FieldDescriptor.TYPE_BYTES:
        return _bytes(given, path)
    if kind == FieldDescriptor.CPPTYPE_STRING and isinstance(given, str):
        return given
    wanted = (
        "true or false" if kind == FieldDescriptor.CPPTYPE_BOOL else "a number" if kind in WHOLE | REAL else "a text"
    )
    raise Reject(f"{path}: expected {wanted}, found {_kind(given)}.")


def _bytes(given: Any, path: str) -> bytes:
    if isinstance(given, str):
        return given.encode()
    if isinstance(given, Mapping) and set(given) == {"base64"} and isinstance(given["base64"], str):
        try:
            return base64.b64decode(given["base64"], validate=True)
        except (binascii.Error, ValueError):
            raise Reject(f"{path}.base64: not base64.") from None
    raise Reject(f'{path}: expected a text or {{"base64": "..."}}, found {_kind(given)}.')


def _json_value(field: Field, value: Any) -> Any:
    if field.message_type is not None:
        return json_of(value)
    if field.enum_type is not None:
        known = field.enum_type.values_by_number.get(value)
        return _enum_name(field.enum_type, known.name) if known else value
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, bytes):
        try:
            return value.decode()
        except UnicodeDecodeError:
            return {"base64": base64.b64encode(value).decode()}
    return value


def _shorthand(name: str, value: Any, at: str) -> Any:
    """Returns a value in full where a short form of it is known.

    A test may be its code or a pair of stdin and expected output; a question may have `candidates` as the files of
    `ucoder select` have them.
    """
    if name == "TestCase":
        if isinstance(value, str):
            return {"code": value}
        if isinstance(value, list | tuple) and len(value) == 2:
            return {"stdin": value[0], "expected_stdout": value[1]}
    if name in ("SelectRequest", "ExecuteRequest") and isinstance(value, Mapping) and "candidates" in value:
        full = {key: one for key, one in value.items() if key not in ("candidates", "id")}
        try:
            full["programs"] = [one["code"] for one in value["candidates"]]
            log_probs = [one["mean_log_prob"] for one in value["candidates"] if "mean_log_prob" in one]
        except (TypeError, KeyError):
            raise Reject(f'{at}candidates: expected a list of {{"code": "..."}}.') from None
        if log_probs and name == "SelectRequest":
            full["mean_log_probs"] = log_probs
        return full
    return value


def _field_schema(field: Field, rules: rules_pb2.Rules, schemas: dict[str, Any]) -> dict[str, Any]:
    if _is_map(field):
        item = field.message_type.fields_by_name["value"]
        return {"type": "object", "additionalProperties": _item_schema(item, rules_pb2.Rules(), schemas)}
    if field.is_repeated:
        limit = {"maxItems": rules.max_len} if rules.HasField("max_len") else {}
        bare = rules_pb2.Rules()
        bare.CopyFrom(rules)
        bare.ClearField("max_len")
        return {"type": "array", "items": _item_schema(field, bare, schemas), **limit}
    return _item_schema(field, rules, schemas)


def _item_schema(field: Field, rules: rules_pb2.Rules, schemas: dict[str, Any]) -> dict[str, Any]:
    if field.message_type is not None:
        return dict(schema_of(field.message_type, schemas))
    if field.enum_type is not None:
        return {"type": "string", "enum": [_enum_name(field.enum_type, one.name) for one in field.enum_type.values]}
    kind = field.cpp_type
    if kind == FieldDescriptor.CPPTYPE_BOOL:
        return {"type": "boolean"}
    if kind in WHOLE | REAL:
        limits = {}
        if rules.HasField("min"):
            limits["minimum"] = rules.min
        if rules.HasField("max"):
            limits["maximum"] = rules.max
        return {"type": "integer" if kind in WHOLE else "number", **limits}
    if field.type == FieldDescriptor.TYPE_BYTES:
        encoded = {"type": "object", "properties": {"base64": {"type": "string"}}, "required": ["base64"]}
        return {"oneOf": [{"type": "string"}, encoded]}
    limit = {"maxLength": rules.max_len} if rules.HasField("max_len") else {}
    return {"type": "string", **limit, **({"pattern": f"^({rules.pattern})?$"} if rules.pattern else {})}


def _is_map(field: Field) -> bool:
    return field.message_type is not None and bool(field.message_type.GetOptions().map_entry)


def _enum_name(enum: EnumDescriptor, name: str) -> str:
    """Returns `passed` for OUTCOME_PASSED of Outcome: the prefix of an enum's names is the name of its zero."""
    prefix = enum.values_by_number[0].name.removesuffix("UNSPECIFIED")
    return name.removeprefix(prefix).lower()


def _kind(value: Any) -> str:
    names = {dict: "an object", list: "a list", str: "a text", bool: "true or false", type(None): "null"}
    return names.get(type(value), "a number")


def _listing(fields: Mapping[str, object]) -> str:
    return f"there are {', '.join(fields)}."
