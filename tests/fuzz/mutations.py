"""Inputs that are nearly right: mutated seeds, and protobuf messages with hostile values.

One `Random` decides everything, so any input can be made again.
"""

from collections.abc import Sequence
from random import Random
from typing import TypeVar

from google.protobuf.descriptor import FieldDescriptor
from google.protobuf.message import Message

M = TypeVar("M", bound=Message)
NASTY = (
    b"",
    b"\0",
    b"\xff\xfe",
    b"NaN",
    b"Infinity",
    b"-0.0",
    b"1e999",
    b"9" * 400,
    b"0x",
    b"'",
    b'"""',
    b"\\",
    b"\\u",
    b"\\ud800",
    b"\r\n",
    b"\t",
    b"[" * 300,
    b"(" * 300,
    b"{",
    b"}",
    b"]",
    b")",
    b"lambda:",
    b"...",
    b"def ",
    b"async ",
    b"assert ",
    b"__class__",
    b"{0.__class__}",
    b"%s",
    b"../",
    b"a/b",
    b"```",
    b"# problem\n",
    b"null",
    b"true",
    b'{"$":1}',
    "\u202e\u0130\ud7ff".encode(),
)
TEXTS = (*(piece.decode("utf-8", "replace") for piece in NASTY), "001-000001", "seed", "local", "python", "f(1)")
NUMBERS = (0, 1, 2, 5, 127, 128, 1000, 2**31 - 1, 2**32 - 1, 2**63 - 1, 2**64 - 1, -1, -(2**31), -(2**63))
FLOATS = (0.0, -0.0, 0.5, 1.0, -1.0, 1e308, -1e308, 5e-324, float("inf"), float("-inf"), float("nan"))
RANGES = {
    FieldDescriptor.CPPTYPE_INT32: (-(2**31), 2**31 - 1),
    FieldDescriptor.CPPTYPE_INT64: (-(2**63), 2**63 - 1),
    FieldDescriptor.CPPTYPE_UINT32: (0, 2**32 - 1),
    FieldDescriptor.CPPTYPE_UINT64: (0, 2**64 - 1),
}


def mutated(random: Random, seeds: Sequence[bytes]) -> bytes:
    """Returns one of the seeds with bytes changed, cut, repeated or spliced, at most 64 KiB."""
    data = bytearray(random.choice(seeds))
    for _ in range(1 + int(random.expovariate(0.5))):
        at, length = random.randint(0, len(data)), int(random.expovariate(0.2))
        match random.randrange(7):
            case 0 if data:
                data[at % len(data)] ^= 1 << random.randrange(8)
            case 1:
                del data[at : at + length]
            case 2:
                data[at:at] = random.choice(NASTY)
            case 3:
                data[at:at] = data[at : at + length] * random.randint(1, 8)
            case 4:
                data[at : at + length] = random.choice(seeds)[at : at + 2 * length]
            case 5:
                data[at:at] = random.randbytes(length)
            case _:
                data = data[:at]
    return bytes(data[: 1 << 16])


def filled(random: Random, message: M, depth: int = 4) -> M:
    """Fills random fields of a message, more often with hostile values than with usual ones, and returns it."""
    for field in message.DESCRIPTOR.fields:
        if random.random() < 0.3:
            continue
        for _ in range(int(random.expovariate(0.7)) if field.is_repeated else 1):
            _set(random, message, field, depth)
    return message


def _set(random: Random, message: Message, field: FieldDescriptor, depth: int) -> None:
    place = getattr(message, field.name)
    if field.message_type is not None and field.message_type.GetOptions().map_entry:
        key, value = field.message_type.fields_by_name["key"], field.message_type.fields_by_name["value"]
        if value.message_type is None:
            place[_value(random, key)] = _value(random, value)
    elif field.message_type is not None:
        if depth:
            filled(random, place.add() if field.is_repeated else place, depth - 1)
            if not field.is_repeated:
                place.SetInParent()
    elif field.is_repeated:
        place.append(_value(random, field))
    else:
        setattr(message, field.name, _value(random, field))


def _value(random: Random, field: FieldDescriptor) -> object:
    if field.cpp_type in RANGES:
        low, high = RANGES[field.cpp_type]
        return min(high, max(low, random.choice(NUMBERS) if random.random() < 0.7 else random.randint(0, 20)))
    match field.cpp_type:
        case FieldDescriptor.CPPTYPE_BOOL:
            return random.random() < 0.5
        case FieldDescriptor.CPPTYPE_ENUM:
            return random.choice([*field.enum_type.values_by_number, 99])
        case FieldDescriptor.CPPTYPE_DOUBLE | FieldDescriptor.CPPTYPE_FLOAT:
            return random.choice(FLOATS)
    text = random.choice(TEXTS)
    return text.encode() if field.type == FieldDescriptor.TYPE_BYTES else text.encode("utf-8", "replace").decode()
