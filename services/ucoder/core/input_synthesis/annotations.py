"""Converts type annotations to shapes: built-in types, `typing`, unions, literals, by name and without imports."""

import ast

from ucoder.core.input_synthesis.shapes import (
    NOTHING,
    Bool,
    Choice,
    Collection,
    Dictionary,
    FixedTuple,
    Float,
    Int,
    OneOf,
    Shape,
    Text,
    one_of,
)

_SIMPLE: dict[str, Shape] = {
    "int": Int(),
    "float": Float(),
    "bool": Bool(),
    "str": Text(),
    "bytes": Text(binary=True),
    "None": NOTHING,
    "object": Int(),
    "Number": OneOf((Int(), Float())),
    "SupportsInt": Int(),
    "Text": Text(),
}
_CONTAINERS: dict[str, type] = {
    **dict.fromkeys(("list", "List", "Sequence", "Iterable", "Collection", "Iterator", "MutableSequence"), list),
    **dict.fromkeys(("set", "Set", "AbstractSet", "MutableSet"), set),
    **dict.fromkeys(("frozenset", "FrozenSet"), frozenset),
    **dict.fromkeys(("tuple", "Tuple"), tuple),
}
_MAPPINGS = frozenset({"dict", "Dict", "Mapping", "MutableMapping", "DefaultDict", "defaultdict", "Counter"})


def shape_of_annotation(annotation: ast.expr | None) -> Shape | None:
    """Returns the shape that an annotation names, or None for `Any` and for types without literals."""
    if isinstance(annotation, ast.Constant):
        if isinstance(annotation.value, str):
            try:
                return shape_of_annotation(ast.parse(annotation.value, mode="eval").body)
            except SyntaxError:
                return None
        return NOTHING if annotation.value is None else None
    if isinstance(annotation, ast.BinOp) and isinstance(annotation.op, ast.BitOr):
        return _union([annotation.left, annotation.right])
    if isinstance(annotation, ast.Subscript):
        inside = annotation.slice
        arguments = inside.elts if isinstance(inside, ast.Tuple) else [inside]
        return _generic(_name(annotation.value), arguments)
    name = _name(annotation)
    if name in _SIMPLE:
        return _SIMPLE[name]
    if name in _MAPPINGS:
        return Dictionary(Text(), Int())
    return Collection(_CONTAINERS[name], Int()) if name in _CONTAINERS else None


def _generic(name: str, arguments: list[ast.expr]) -> Shape | None:
    if name == "Optional":
        inner = shape_of_annotation(arguments[0])
        return one_of([inner, NOTHING]) if inner else None
    if name == "Union":
        return _union(arguments)
    if name == "Literal":
        return Choice(tuple(argument.value for argument in arguments if isinstance(argument, ast.Constant)))
    if name in ("Annotated", "Final"):
        return shape_of_annotation(arguments[0])
    shapes = [shape_of_annotation(argument) for argument in arguments if not _is_ellipsis(argument)]
    known = [shape for shape in shapes if shape is not None]
    if name in _MAPPINGS:
        value = known[1] if len(known) > 1 else Int()
        return Dictionary(known[0], value) if known and len(known) == len(shapes) else None
    if name not in _CONTAINERS:
        return None
    kind = _CONTAINERS[name]
    if not known:  # list[Any]: its items are most likely numbers
        return Collection(kind, Int())
    if kind is tuple and not _is_ellipsis(arguments[-1]):
        return FixedTuple(tuple(known)) if len(known) == len(shapes) else None
    return Collection(kind, known[0])


def _union(options: list[ast.expr]) -> Shape | None:
    shapes = [shape_of_annotation(option) for option in options]
    known = [shape for shape in shapes if shape is not None]
    return one_of(known) if known else None


def _name(node: ast.expr | None) -> str:
    if isinstance(node, ast.Attribute):
        return node.attr
    return node.id if isinstance(node, ast.Name) else ""


def _is_ellipsis(node: ast.expr) -> bool:
    return isinstance(node, ast.Constant) and node.value is ...
