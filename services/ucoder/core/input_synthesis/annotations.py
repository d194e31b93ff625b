"""Converts type annotations to shapes: built-in types, `typing`, unions, literals, by name and without imports."""

import ast

from ucoder.core.input_synthesis import shapes
from ucoder.core.input_synthesis.shapes import NOTHING, SIMPLE, Collection, Dictionary, Int, Shape, Text, one_of

_CONTAINERS: dict[str, type] = {
    **dict.fromkeys(("list", "List", "Sequence", "Iterable", "Collection", "Iterator", "MutableSequence"), list),
    **dict.fromkeys(("set", "Set", "AbstractSet", "MutableSet"), set),
    **dict.fromkeys(("frozenset", "FrozenSet"), frozenset),
    **dict.fromkeys(("tuple", "Tuple"), tuple),
}
_MAPPINGS = frozenset({"dict", "Dict", "Mapping", "MutableMapping", "DefaultDict", "defaultdict", "Counter"})
_PLAIN: dict[str, Shape] = {
    **{kind.__name__: shape for kind, shape in SIMPLE.items()},
    **{name: Collection(kind, Int()) for name, kind in _CONTAINERS.items()},
    **dict.fromkeys(_MAPPINGS, Dictionary(Text(), Int())),
    "None": NOTHING,
    "Number": one_of([Int(), shapes.Float()]),
    "SupportsInt": Int(),
    "Text": Text(),
    "object": Int(),
}
"""The shapes of names without arguments."""


def shape_of_annotation(annotation: ast.expr | None) -> Shape | None:
    """Returns the shape that an annotation names, or None for `Any` and for types without literals."""
    match annotation:
        case ast.Constant(None):
            return NOTHING
        case ast.Constant(str(text)):
            try:
                return shape_of_annotation(ast.parse(text, mode="eval").body)
            except SyntaxError:
                return None
        case ast.BinOp(left, ast.BitOr(), right):
            return _union([left, right])
        case ast.Subscript(ast.Name(name) | ast.Attribute(attr=name), arguments):
            return _generic(name, arguments.elts if isinstance(arguments, ast.Tuple) else [arguments])
        case ast.Name(name) | ast.Attribute(attr=name):
            return _PLAIN.get(name)
    return None


def _generic(name: str, arguments: list[ast.expr]) -> Shape | None:
    if name == "Optional":
        inner = shape_of_annotation(arguments[0])
        return one_of([inner, NOTHING]) if inner else None
    if name == "Union":
        return _union(arguments)
    if name == "Literal":
        return shapes.Choice(tuple(argument.value for argument in arguments if isinstance(argument, ast.Constant)))
    if name in ("Annotated", "Final"):
        return shape_of_annotation(arguments[0])
    given = [argument for argument in arguments if not (isinstance(argument, ast.Constant) and argument.value is ...)]
    known = [shape for argument in given if (shape := shape_of_annotation(argument))]
    if name in _MAPPINGS:
        value = known[1] if len(known) > 1 else Int()
        return Dictionary(known[0], value) if known and len(known) == len(given) else None
    if name not in _CONTAINERS:
        return None
    kind = _CONTAINERS[name]
    if not known:  # list[Any]: its items are most likely numbers
        return Collection(kind, Int())
    if kind is tuple and given[-1] is arguments[-1]:
        return shapes.FixedTuple(tuple(known)) if len(known) == len(given) else None
    return Collection(kind, known[0])


def _union(options: list[ast.expr]) -> Shape | None:
    known = [shape for option in options if (shape := shape_of_annotation(option))]
    return one_of(known) if known else None
