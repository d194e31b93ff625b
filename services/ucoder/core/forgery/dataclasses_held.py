"""Recognises dataclasses whose equality and order are those of the values that they were made with."""

import ast


def is_dataclass(node: ast.AST) -> bool:
    """Returns whether a node is a dataclass whose comparisons are those of its fields: none of `frozen` and `order`
    changes them.
    """
    if not isinstance(node, ast.ClassDef) or len(node.decorator_list) != 1:
        return False
    decorator = node.decorator_list[0]
    if isinstance(decorator, ast.Call):
        for one in decorator.keywords:
            if one.arg not in ("frozen", "order") or not isinstance(one.value, ast.Constant):
                return False
        if decorator.args:
            return False
        decorator = decorator.func
    return ast.unparse(decorator) in ("dataclass", "dataclasses.dataclass")


def holds_its_fields(node: ast.ClassDef) -> bool:
    """Returns whether the equality of a dataclass is that of the values it was made with: its fields are plain, and no
    method makes or replaces them.
    """
    fields = [one for one in node.body if isinstance(one, ast.AnnAssign)]
    others = [one for one in node.body if not isinstance(one, ast.AnnAssign)]
    plain = all(
        isinstance(one.target, ast.Name)
        and "ClassVar" not in ast.unparse(one.annotation)
        and "InitVar" not in ast.unparse(one.annotation)
        and (one.value is None or isinstance(one.value, ast.Constant) or _is_field(one.value))
        for one in fields
    )
    names = [
        name
        for one in node.body
        for name in (ast.unparse(one.target) if isinstance(one, ast.AnnAssign) else getattr(one, "name", ""),)
    ]
    methods = all(
        (isinstance(one, ast.FunctionDef) and one.name not in ("__init__", "__post_init__"))
        or (isinstance(one, ast.Expr) and isinstance(one.value, ast.Constant))
        or isinstance(one, ast.Pass)
        for one in others
    )
    named = [name for name in names if name]
    return bool(fields) and plain and methods and len(named) == len(set(named)) and not node.bases


def _is_field(node: ast.expr) -> bool:
    return isinstance(node, ast.Call) and ast.unparse(node.func) in ("field", "dataclasses.field")
