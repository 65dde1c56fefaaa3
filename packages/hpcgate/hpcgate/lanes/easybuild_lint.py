# Language policy: EXEMPT from the Rust-path rule. Reads recipes with ast; no computation.
"""Conventions of an easyconfig that can be checked without EasyBuild."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hpcgate.lanes.base import Problem, is_sha256, long_lines
from hpcgate.repo import read_text

__all__ = ["EasyConfig", "lint", "path_of", "read_easyconfig", "read_easyconfigs"]

ORDER = (
    "easyblock",
    "name",
    "version",
    "homepage",
    "description",
    "toolchain",
    "builddependencies",
    "dependencies",
    "source_urls",
    "sources",
    "crates",
    "checksums",
    "preinstallopts",
    "options",
    "sanity_check_commands",
    "moduleclass",
)
# Defaults of the easyblock; upstream's tests refuse a file that repeats them.
DEFAULTS = ("download_dep_fail", "use_pip", "sanity_pip_check")
LINE_LIMIT = 120


@dataclass(frozen=True, slots=True)
class EasyConfig:
    """Hold the assignments of one easyconfig, in file order."""

    file: str
    text: str
    values: dict[str, Any]

    def modules(self) -> dict[str, str]:
        """Return the versions of the modules it needs, by name."""
        needed = [*self.values.get("builddependencies", []), *self.values.get("dependencies", [])]
        return {entry[0]: entry[1] for entry in needed}


def path_of(name: str, version: str, toolchain: str, generation: str) -> str:
    """Return where an easyconfig lies, relative to the root.

    Examples
    --------
    >>> path_of("mars-earth", "2.0.0", "gfbf", "2025b")
    'easybuild/easyconfigs/m/mars-earth/mars-earth-2.0.0-gfbf-2025b.eb'
    """
    folder = f"easybuild/easyconfigs/{name[0].lower()}/{name}"
    return f"{folder}/{name}-{version}-{toolchain}-{generation}.eb"


def lint(root: Path) -> list[Problem]:
    """Return the problems of every derived easyconfig."""
    problems = []
    paths = _paths(root)
    if not paths:
        problems.append(Problem("easybuild", "present", "no easyconfig"))
    for path in paths:
        file = path.relative_to(root).as_posix()
        try:
            config = read_easyconfig(file, read_text(path))
        except SyntaxError as error:
            problems.append(Problem(file, "syntax", str(error)))
            continue
        problems += [Problem(file, rule, message) for rule, message in _broken(config)]
        problems += long_lines(file, config.text, LINE_LIMIT)
    return problems


def read_easyconfigs(root: Path) -> list[EasyConfig]:
    """Return every derived easyconfig that is valid Python."""
    found = []
    for path in _paths(root):
        try:
            found.append(read_easyconfig(path.relative_to(root).as_posix(), read_text(path)))
        except SyntaxError:  # `lint` reports it
            continue
    return found


def read_easyconfig(file: str, text: str) -> EasyConfig:
    """Read an easyconfig without running it.

    Raises
    ------
    SyntaxError
        If it is not Python, or a value is computed.
    """
    values = {}
    for node in ast.parse(text).body:
        if not (isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name)):
            raise SyntaxError(f"line {node.lineno} is not an assignment")
        try:
            values[node.targets[0].id] = ast.literal_eval(node.value)
        except ValueError:
            raise SyntaxError(f"line {node.lineno}: the value is computed") from None
    return EasyConfig(file, text, values)


def _broken(config: EasyConfig) -> Iterator[tuple[str, str]]:
    """Yield the rule and the message of every broken convention."""
    values = config.values
    missing = [key for key in ORDER if not values.get(key)]
    if missing:
        yield "keys", f"missing or empty: {', '.join(missing)}"
        return
    for key in values:
        if key in DEFAULTS:
            yield "default", f"{key} is a default of the easyblock and must not be written"
        elif key not in ORDER:
            yield "keys", f"{key} is not a key of this lane"
    if [key for key in values if key in ORDER] != list(ORDER):
        yield "order", f"the order is {', '.join(ORDER)}"

    toolchain = values["toolchain"]
    wanted = path_of(values["name"], values["version"], toolchain["name"], toolchain["version"])
    if config.file != wanted:
        yield "file-name", f"the file has to lie at {wanted}"
    if not values["easyblock"].startswith("CargoPython"):
        yield "easyblock", "a Python package that needs Rust uses a CargoPython easyblock"
    for key in ("homepage", "source_urls"):
        if not str(values[key]).strip("[']").startswith("https://"):
            yield "https", f"{key} is not https"
    for module in ("Rust", "maturin"):
        if module not in dict(values["builddependencies"]):
            yield "build", f"{module} is a build dependency"
    for command in values["sanity_check_commands"]:
        if command.startswith("python") and not command.startswith("python -s -c "):
            yield "sanity", "a sanity command calls `python -s -c`"
    yield from _broken_checksums(values)


def _broken_checksums(values: dict[str, Any]) -> Iterator[tuple[str, str]]:
    """Yield what is wrong with the digests of the source and the crates."""
    listed = [entry for pair in values["checksums"] for entry in pair.items()]
    sources = [name.replace("%(version)s", values["version"]) for name in values["sources"]]
    wanted = sources + [f"{name}-{version}.tar.gz" for name, version in values["crates"]]
    if [name for name, _ in listed] != wanted:
        odd = sorted(set(wanted).symmetric_difference(name for name, _ in listed))
        yield "checksums", f"checksums do not follow sources and crates: {', '.join(odd[:3])}"
    for name, digest in listed:
        if not is_sha256(digest):
            yield "sha256", f"{name} has no true sha256"


def _paths(root: Path) -> list[Path]:
    """List the derived easyconfigs."""
    return sorted((root / "easybuild").glob("easyconfigs/*/*/*.eb"))
