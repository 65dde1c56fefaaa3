# Language policy: EXEMPT from the Rust-path rule. Reads recipes with ast; no computation.
"""Conventions of a Spack package file that can be checked without Spack."""

from __future__ import annotations

import ast
import itertools
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from hpcgate.lanes.base import Problem, is_sha256, is_spdx, long_lines
from hpcgate.repo import read_text

__all__ = ["HARDWARE", "Directive", "PackageFile", "lint", "read_package"]

# The order reviewers expect inside the class.
ORDER = (
    "docstring",
    "homepage",
    "pypi",
    "url",
    "git",
    "tags",
    "maintainers",
    "license",
    "version",
    "variant",
    "depends_on",
    "conflicts",
    "requires",
    "method",
)
# The catalogue of E4S finds these anywhere in the variants, also inside longer words.
HARDWARE = ("cuda", "rocm", "sycl", "hip", "level_zero")
LINE_LIMIT = 99


@dataclass(frozen=True, slots=True)
class Directive:
    """Hold one call in the class body, with the keywords of the blocks around it."""

    name: str
    arguments: tuple[object, ...]
    keywords: dict[str, object]


@dataclass(frozen=True, slots=True)
class PackageFile:
    """Hold what a package file states."""

    class_name: str
    base: str
    order: tuple[str, ...]
    values: dict[str, object]
    docstring: str
    directives: tuple[Directive, ...]
    tests: dict[str, str]

    def calls(self, name: str) -> list[Directive]:
        """Return the directives of one name, in file order."""
        return [directive for directive in self.directives if directive.name == name]


def lint(root: Path) -> list[Problem]:
    """Return the problems of every package file of the derived repository."""
    problems = []
    paths = sorted((root / "spack").glob("spack_repo/*/packages/*/package.py"))
    if not paths:
        problems.append(Problem("spack", "present", "the repository holds no package.py"))
    for path in paths:
        problems += _lint_text(path.relative_to(root).as_posix(), path.parent.name, read_text(path))
    return problems


def read_package(text: str) -> PackageFile:
    """Read a package file without running it.

    Raises
    ------
    SyntaxError
        If the text is not Python or holds no class.
    """
    classes = [node for node in ast.parse(text).body if isinstance(node, ast.ClassDef)]
    if len(classes) != 1:
        raise SyntaxError("a package file holds exactly one class")
    found = classes[0]
    methods = [node for node in found.body if isinstance(node, ast.FunctionDef)]
    values = {
        target.id: _value(node.value)
        for node in found.body
        if isinstance(node, ast.Assign)
        for target in node.targets
        if isinstance(target, ast.Name)
    }
    return PackageFile(
        class_name=found.name,
        base=ast.unparse(found.bases[0]) if found.bases else "",
        order=tuple(_kinds(found.body)),
        values=values,
        docstring=ast.get_docstring(found) or "",
        directives=tuple(_directives(found.body, {})),
        tests={m.name: ast.get_docstring(m) or "" for m in methods if m.name.startswith("test")},
    )


def _lint_text(file: str, folder: str, text: str) -> list[Problem]:
    """Check one package file against every rule."""
    try:
        package = read_package(text)
    except SyntaxError as error:
        return [Problem(file, "syntax", str(error))]
    found = [Problem(file, rule, message) for rule, message in _broken(package, folder)]
    for line in text.splitlines():
        if "depends_on(" in line and "generated" in line.casefold():
            found.append(Problem(file, "generated-comment", "a dependency is marked as generated"))
    return found + long_lines(file, text, LINE_LIMIT)


def _broken(package: PackageFile, folder: str) -> Iterator[tuple[str, str]]:
    """Yield the rule and the message of every broken convention."""
    wanted = "".join(part.capitalize() for part in folder.split("_"))
    if package.class_name != wanted:
        yield "class-name", f"the class of {folder} is called {wanted}, not {package.class_name}"
    if package.base == "PythonPackage" and not folder.startswith("py_"):
        yield "py-prefix", "a Python library is called py-<name>"
    if not package.docstring:
        yield "docstring", "the class says nothing about the software"
    if not str(package.values.get("homepage", "")).startswith("https://"):
        yield "homepage", "homepage is missing or not https"

    positions = [ORDER.index(kind) for kind in package.order if kind in ORDER]
    for earlier, later in itertools.pairwise(positions):
        if later < earlier:
            yield "order", f"{ORDER[later]} stands behind {ORDER[earlier]}"

    if not any(directive.arguments for directive in package.calls("maintainers")):
        yield "maintainers", "nobody maintains the recipe"
    licences = [d.arguments[0] for d in package.calls("license") if d.arguments]
    if len(licences) != 1 or not is_spdx(licences[0]):
        yield "licence", "one SPDX licence expression is needed"

    yield from _broken_versions(package)
    for directive in package.calls("depends_on"):
        if "type" not in directive.keywords:
            yield "typed", f"depends_on({directive.arguments[0]!r}) has no type"
    for directive in package.calls("variant"):
        if not directive.keywords.get("description"):
            yield "variant", f"variant {directive.arguments[0]!r} has no description"
        said = repr((directive.arguments, directive.keywords)).casefold()
        for word in HARDWARE:
            if word in said:
                yield (
                    "hardware",
                    f"{word!r} in variant {directive.arguments[0]!r}: H3 evidence needed",
                )

    if not any(name.startswith("test_") for name in package.tests):
        yield "test", "no test_ method of its own"
    for name, docstring in package.tests.items():
        if not docstring:
            yield "test-docstring", f"{name} has no docstring"


def _broken_versions(package: PackageFile) -> Iterator[tuple[str, str]]:
    """Yield what is wrong with the versions; a bundle has no archive and so no digest."""
    versions = package.calls("version")
    if not versions:
        yield "version", "no version"
    for directive in versions:
        digest = directive.keywords.get("sha256")
        if package.base == "BundlePackage":
            if digest is not None:
                yield "sha256", "a bundle has no archive, so no digest"
        elif not is_sha256(digest):
            yield "sha256", f"version {directive.arguments[0]!r} has no true sha256"


def _kinds(body: list[ast.stmt]) -> Iterator[str]:
    """Name the kind of every statement of the class, in file order."""
    for node in body:
        if isinstance(node, ast.FunctionDef):
            yield "method"
        elif isinstance(node, ast.With):
            yield from _kinds(node.body)
        elif isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name):
            yield node.targets[0].id
        elif isinstance(node, ast.Expr) and isinstance(node.value, ast.Call):
            yield ast.unparse(node.value.func)
        elif isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant):
            yield "docstring"


def _directives(body: list[ast.stmt], defaults: dict[str, object]) -> Iterator[Directive]:
    """Yield every directive, with the keywords of `with default_args(...)` merged in."""
    for node in body:
        if isinstance(node, ast.With):
            inner = dict(defaults)
            for item in node.items:
                call = item.context_expr
                if isinstance(call, ast.Call) and ast.unparse(call.func) == "default_args":
                    inner.update(_keywords(call))
            yield from _directives(node.body, inner)
        elif isinstance(node, ast.Expr) and isinstance(node.value, ast.Call):
            call = node.value
            yield Directive(
                name=ast.unparse(call.func),
                arguments=tuple(_value(argument) for argument in call.args),
                keywords={**defaults, **_keywords(call)},
            )


def _keywords(call: ast.Call) -> dict[str, object]:
    """Return the keyword arguments of a call."""
    return {word.arg: _value(word.value) for word in call.keywords if word.arg}


def _value(node: ast.expr) -> object:
    """Return a literal's value, or its source text when it is computed."""
    try:
        return ast.literal_eval(node)
    except ValueError:
        return ast.unparse(node)
