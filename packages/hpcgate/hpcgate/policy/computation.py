# Language policy: EXEMPT from the Rust-path rule. Reads syntax trees; no computation.
"""Find numeric work in a Python module by its syntax."""

from __future__ import annotations

import ast

__all__ = ["calls_of", "find_computation"]


def find_computation(source: str, *, patterns: bool = False) -> list[tuple[int, str]]:
    """Return the lines of a module that visibly compute, each with what was seen there.

    Parameters
    ----------
    source : str
    patterns : bool
        Count regular expressions in a loop over lines: they parse what users bring, of any size.

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
    detector = _Detector(patterns)
    detector.visit(ast.parse(source))
    return sorted(set(detector.found))


def calls_of(source: str) -> set[str]:
    """Return the dotted names of what a module calls; of none where it is not Python.

    Examples
    --------
    >>> sorted(calls_of("found = accel.predict(model, rows(X))"))
    ['accel.predict', 'rows']
    """
    try:
        tree = ast.parse(source)
    except SyntaxError:
        return set()
    return {ast.unparse(node.func) for node in ast.walk(tree) if isinstance(node, ast.Call)}


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

    MATCHERS = frozenset({"findall", "finditer", "fullmatch", "match", "search", "split", "sub"})

    def __init__(self, patterns: bool) -> None:
        self.found: list[tuple[int, str]] = []
        self._patterns = patterns
        self._over_lines = 0
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
        elif self._patterns and self._over_lines and self._is_match(node.func):
            self.found.append((node.lineno, "a pattern over lines"))
        self.generic_visit(node)

    def _loop(self, node: ast.AST) -> None:
        over_lines = _goes_over_lines(node)
        self._loops += 1
        self._over_lines += over_lines
        self.generic_visit(node)
        self._over_lines -= over_lines
        self._loops -= 1

    def _is_match(self, node: ast.expr) -> bool:
        """Tell `re.search` and the methods of a compiled pattern from methods of a text."""
        if not isinstance(node, ast.Attribute) or node.attr not in self.MATCHERS:
            return False
        return self._dotted(node).startswith("re.") or node.attr not in {"split"}

    visit_For = visit_While = visit_ListComp = visit_SetComp = _loop
    visit_DictComp = visit_GeneratorExp = _loop

    def _dotted(self, node: ast.expr) -> str:
        if isinstance(node, ast.Name):
            return self._names.get(node.id, node.id)
        if isinstance(node, ast.Attribute):
            return f"{self._dotted(node.value)}.{node.attr}"
        return ""


def _goes_over_lines(node: ast.AST) -> bool:
    """Whether a loop says that it goes over lines: by what it calls, or how it names them."""
    loops = getattr(node, "generators", [node])
    for loop in loops:
        iterable, target = getattr(loop, "iter", None), getattr(loop, "target", None)
        called = iterable.func if isinstance(iterable, ast.Call) else None
        if isinstance(called, ast.Attribute) and called.attr in {"splitlines", "readlines"}:
            return True
        if isinstance(target, ast.Name) and target.id in {"line", "record"}:
            return True
    return False


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
