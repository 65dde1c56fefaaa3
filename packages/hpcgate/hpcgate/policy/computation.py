# Language policy: EXEMPT from the Rust-path rule. Reads syntax trees; no computation.
"""Find numeric work in a Python module by its syntax."""

from __future__ import annotations

import ast

__all__ = ["find_computation"]


def find_computation(source: str) -> list[tuple[int, str]]:
    """Return the lines of a module that visibly compute, each with what was seen there.

    Raises
    ------
    SyntaxError
        If the source is not Python.

    Examples
    --------
    >>> find_computation("y = a @ b")
    [(1, 'a matrix product')]
    >>> find_computation("name = folder / 'file'")
    []
    """
    detector = _Detector()
    detector.visit(ast.parse(source))
    return sorted(set(detector.found))


class _Detector(ast.NodeVisitor):
    """Collect the lines of a syntax tree that do numeric work.

    It reads intent from syntax alone, so it prefers to miss a case over accusing text handling:
    counting, slicing and joining are not arithmetic on elements.
    """

    # fmt: off
    ALWAYS = frozenset({
        "convolve", "correlate", "cumprod", "cumsum", "dot", "einsum", "inner", "interp", "kron",
        "matmul", "outer", "polyfit", "polyval", "tensordot", "trapezoid", "vdot",
    })
    IN_LOOPS = frozenset({
        "add", "cos", "divide", "exp", "expm1", "fsum", "hypot", "log", "log10", "log1p", "log2",
        "maximum", "mean", "median", "minimum", "multiply", "pow", "power", "prod", "sin", "sqrt",
        "square", "std", "subtract", "sum", "tan", "tanh", "var",
    })
    # fmt: on
    LIBRARIES = frozenset({"cmath", "math", "numpy", "scipy"})
    SUBPACKAGES = frozenset({"fft", "integrate", "linalg", "optimize", "special", "stats"})

    def __init__(self) -> None:
        self.found: list[tuple[int, str]] = []
        self._loops = 0
        self._names: dict[str, str] = {}

    def visit_Import(self, node: ast.Import) -> None:
        for alias in node.names:
            head = alias.name.split(".")[0]
            self._names[alias.asname or head] = alias.name if alias.asname else head

    def visit_ImportFrom(self, node: ast.ImportFrom) -> None:
        for alias in node.names:
            self._names[alias.asname or alias.name] = f"{node.module}.{alias.name}"

    def visit_BinOp(self, node: ast.BinOp) -> None:
        if isinstance(node.op, ast.MatMult):
            self.found.append((node.lineno, "a matrix product"))
        elif self._loops and _is_arithmetic(node):
            self.found.append((node.lineno, "arithmetic on elements in a loop"))
        self.generic_visit(node)

    def visit_AugAssign(self, node: ast.AugAssign) -> None:
        plain_sum = isinstance(node.op, ast.Add) and not isinstance(node.value, ast.BinOp)
        if self._loops and _is_element(node.target) and not plain_sum:
            self.found.append((node.lineno, "arithmetic on elements in a loop"))
        self.generic_visit(node)

    def visit_Call(self, node: ast.Call) -> None:
        library, _, rest = self._dotted(node.func).partition(".")
        parts = rest.split(".")
        if library in self.LIBRARIES and (
            parts[-1] in self.ALWAYS
            or parts[0] in self.SUBPACKAGES
            or (self._loops and parts[-1] in self.IN_LOOPS)
        ):
            self.found.append((node.lineno, f"{library}.{rest}"))
        elif isinstance(node.func, ast.Attribute) and node.func.attr == "dot":
            self.found.append((node.lineno, "a dot product"))
        elif library == "sum" and node.args and _sums_products(node.args[0]):
            self.found.append((node.lineno, "a sum of products"))
        self.generic_visit(node)

    def _loop(self, node: ast.AST) -> None:
        self._loops += 1
        self.generic_visit(node)
        self._loops -= 1

    visit_For = visit_While = visit_ListComp = visit_SetComp = _loop
    visit_DictComp = visit_GeneratorExp = _loop

    def _dotted(self, node: ast.expr) -> str:
        if isinstance(node, ast.Name):
            return self._names.get(node.id, node.id)
        if isinstance(node, ast.Attribute):
            return f"{self._dotted(node.value)}.{node.attr}"
        return ""


def _is_element(node: ast.expr) -> bool:
    """Tell a varying element (`x[i]`) from a field (`row["a"]`, `pair[-1]`) and a slice."""
    if not isinstance(node, ast.Subscript):
        return False
    place = node.slice.operand if isinstance(node.slice, ast.UnaryOp) else node.slice
    return not isinstance(place, ast.Slice | ast.Constant)


def _is_arithmetic(node: ast.BinOp) -> bool:
    sides = (node.left, node.right)
    text = (ast.JoinedStr, ast.List, ast.Tuple)
    if any(isinstance(s, text) or _is_text(s) for s in sides) or not any(map(_is_element, sides)):
        return False
    # `a[i] + b` may join text; it is arithmetic only when the other side is visibly a number.
    numeric = all(_is_element(s) or isinstance(s, ast.BinOp | ast.Constant) for s in sides)
    return numeric or isinstance(node.op, ast.Sub | ast.Mult | ast.Div | ast.Pow)


def _is_text(node: ast.expr) -> bool:
    return isinstance(node, ast.Constant) and isinstance(node.value, str)


def _sums_products(node: ast.expr) -> bool:
    return (
        isinstance(node, ast.GeneratorExp | ast.ListComp)
        and isinstance(node.elt, ast.BinOp)
        and isinstance(node.elt.op, ast.Mult | ast.Pow)
    )
