"""The artefacts: protobuf messages in the store at `<run>/<kind>/<name>`, compressed and written once."""

import contextlib
import hashlib
import re
import zlib
from collections.abc import AsyncGenerator
from typing import Any, TypeVar

from google.protobuf.message import DecodeError, Message

from ucoder.errors import Conflict, NotFound, Reject
from ucoder.runtime.storage.store import Store
from ucoder.v1 import artifacts_pb2 as pb

M = TypeVar("M", bound=Message)

FORMAT = 1
"""Version of everything that a run stores; a run of another version is refused by a clear error."""
MAX_BYTES = 1 << 28
"""Limit of one unpacked artefact, against small files that unpack to more than the memory."""
TYPES: dict[str, type[Message]] = {
    "run": pb.Run, "checkpoint": pb.Checkpoint, "served_model": pb.ServedModel, "evaluation": pb.Evaluation,
    "iteration": pb.Iteration, "brief": pb.Brief, "problem": pb.Problem, "tests": pb.Tests,
    "candidates": pb.Candidates, "matrix": pb.Matrix, "consensus": pb.Consensus, "dataset": pb.Dataset,
}  # fmt: skip
KIND_OF = {cls: kind for kind, cls in TYPES.items()}
SOURCE_FIELD: dict[type[Message], str] = {
    pb.ServedModel: "checkpoint", pb.Evaluation: "served", pb.Problem: "brief", pb.Tests: "problem",
    pb.Candidates: "tests", pb.Matrix: "candidates", pb.Consensus: "brief",
}  # fmt: skip
"""The fields that hold the artefact which another one was made of, and which shares its name."""


def name_of(message: Any) -> str:
    """Returns the name of an artefact: `000` for those of the base, `001` for iteration 1, `001-control`, or
    `001-00042` for a brief.
    """
    match _named_part(message):
        case pb.Run():
            return "000"
        case pb.Checkpoint() | pb.Dataset() as made:
            return f"{made.iteration:03d}{'-control' if made.variant == pb.VARIANT_CONTROL else ''}"
        case pb.Iteration() as iteration:
            return f"{iteration.index:03d}"
        case pb.Brief() as brief:
            return f"{brief.iteration:03d}-{brief.number:06d}"
    raise TypeError(f"{type(message).__name__} is not an artefact")


def brief_of(message: Any) -> pb.Brief:
    """Returns the brief that an artefact was made for."""
    if isinstance(brief := _named_part(message), pb.Brief):
        return brief
    raise TypeError(f"{type(message).__name__} belongs to no brief")


def _named_part(message: Any) -> Any:
    """Returns the part of an artefact that names it: the brief in a matrix, the checkpoint in an evaluation."""
    while field := SOURCE_FIELD.get(type(message)):
        message = getattr(message, field)
    return message


def brief_named(run: str, name: str) -> pb.Brief:
    """Returns a brief with the identity that the name of its artefacts holds, for artefacts that cannot be read."""
    iteration, number = name.split("-")
    return pb.Brief(run=run, iteration=int(iteration), number=int(number))


class Artifacts:
    """Reads and writes artefacts."""

    def __init__(self, store: Store) -> None:
        self.store = store

    async def save(self, run: str, message: Message) -> pb.Ref:
        """Writes an artefact once and returns its Ref; an existing one of that name stays, and its Ref is returned.

        Raises Reject when the artefact is larger than `MAX_BYTES`, so that nobody could read it.
        """
        kind, name = KIND_OF[type(message)], name_of(message)
        if (size := message.ByteSize()) > MAX_BYTES:
            raise Reject(f"{run}/{kind}/{name} has {size} bytes; an artefact has {MAX_BYTES} at most.")
        data = zlib.compress(message.SerializeToString(deterministic=True), 1)
        if not await self.store.create(_key(run, kind, name), data):
            data = await self.store.get(_key(run, kind, name))
        return _ref(run, kind, name, data)

    async def load(self, ref: pb.Ref) -> Message:
        """Returns the artefact that a Ref names; raises Reject when it was changed, NotFound when it is missing."""
        data = await self.store.get(_key(ref.run, ref.kind, ref.name))
        if (sha256 := hashlib.sha256(data).hexdigest()) != ref.sha256:
            raise Reject(f"{ref.run}/{ref.kind}/{ref.name} is corrupt: sha256 {sha256[:12]}, not {ref.sha256[:12]}.")
        return _decode(TYPES[ref.kind], data)

    async def get(self, cls: type[M], run: str, name: str) -> M:
        """Returns the artefact of a type and name; raises NotFound when there is none."""
        return _decode(cls, await self.store.get(_key(run, KIND_OF[cls], name)))

    async def find(self, run: str, kind: str, name: str) -> pb.Ref | None:
        """Returns the Ref of an artefact, or None while it does not exist."""
        try:
            return _ref(run, kind, name, await self.store.get(_key(run, kind, name)))
        except NotFound:
            return None

    async def written_at(self, run: str, kind: str, name: str) -> float:
        """Returns when an artefact was written, in seconds since the epoch; raises NotFound when there is none."""
        return await self.store.written_at(_key(run, kind, name))

    async def names(self, run: str, kind: str, prefix: str = "") -> list[str]:
        """Returns the names of the artefacts of a kind, sorted."""
        return sorted([name async for page in self.name_pages(run, kind) for name in page if name.startswith(prefix)])

    async def name_pages(self, run: str, kind: str) -> AsyncGenerator[list[str], None]:
        """Yields the names of the artefacts of a kind, a page at a time and in any order."""
        async with contextlib.aclosing(self.store.pages(f"{run}/{kind}")) as pages:
            async for page in pages:
                yield [key.rsplit("/", 1)[-1].removesuffix(SUFFIX) for key in page if key.endswith(SUFFIX)]


SUFFIX = ".binpb.z"
NAME = re.compile(r"[a-z0-9][a-z0-9-]{0,62}")
"""The names of runs and artefacts, as artifacts.proto defines them."""
BRIEF_NAME = re.compile(r"[0-9]{3,9}-[0-9]{1,9}")
"""The names of briefs and of their artefacts."""


def _key(run: str, kind: str, name: str) -> str:
    for part in (run, name):
        if not NAME.fullmatch(part):  # names come from messages and URLs; a key must not leave its folder
            raise NotFound(f"{part[:80]!r} is not the name of a run or an artefact.")
    return f"{run}/{kind}/{name}{SUFFIX}"


def _ref(run: str, kind: str, name: str, data: bytes) -> pb.Ref:
    return pb.Ref(run=run, kind=kind, name=name, sha256=hashlib.sha256(data).hexdigest())


def _decode(cls: type[M], data: bytes) -> M:
    try:
        unpacker = zlib.decompressobj()
        raw = unpacker.decompress(data, MAX_BYTES)
        if not unpacker.eof:
            raise Reject(f"{cls.__name__}: truncated, or larger than {MAX_BYTES} bytes.")
        message = cls.FromString(raw)
    except (zlib.error, DecodeError) as error:
        raise Reject(f"{cls.__name__}: cannot be read: {error}.") from None
    if isinstance(message, pb.Run) and message.format != FORMAT:
        raise Conflict(f"run {message.id} has format {message.format}; this version of ucoder reads {FORMAT}.")
    return message
