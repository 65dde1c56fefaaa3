# Language policy: EXEMPT from the Rust-path rule. Reads and checks YAML facts; no computation.
"""Facts: what people write in `packaging/`, read once and checked whole.

Every reader of a fact file uses the same three steps: `read_yaml` for the text, `check_model` for
the meaning, and one GateError that lists every problem of the file.
"""

from __future__ import annotations

import difflib
import json
import re
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from pathlib import Path
from typing import Annotated, Any, Literal, TypeVar, get_args

from packaging.licenses import InvalidLicenseExpression, canonicalize_license_expression
from packaging.specifiers import InvalidSpecifier, SpecifierSet
from packaging.version import InvalidVersion, Version
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError, model_validator
from ruamel.yaml import YAML
from ruamel.yaml.error import MarkedYAMLError, YAMLError
from ruamel.yaml.nodes import MappingNode, Node, ScalarNode

from hpcgate.errors import GateError
from hpcgate.repo import read_text, write_text

__all__ = [
    "Bounds",
    "Crate",
    "Dependencies",
    "Dependency",
    "FactModel",
    "Facts",
    "Licence",
    "Names",
    "Release",
    "Sha256",
    "WorkLane",
    "WorkLanes",
    "bounds_text",
    "check_model",
    "edit_yaml",
    "load",
    "load_model",
    "read_yaml",
]

Scalar = str | int | float | bool | None
Model = TypeVar("Model", bound=BaseModel)
Parsed = TypeVar("Parsed")


def _parse(value: object, kind: type[Parsed], parser: Callable[[str], Parsed]) -> Parsed:
    """Parse a quoted text; a bare `3.10` is a number in YAML and has lost its last digit."""
    if isinstance(value, kind) and not isinstance(value, str):
        return value
    if not isinstance(value, str):
        raise ValueError(f"{value!r} is not a text; write it in quotes")
    try:
        return parser(value)
    except (InvalidVersion, InvalidSpecifier, InvalidLicenseExpression) as error:
        raise ValueError(str(error)) from None


def _licence(text: str) -> str:
    """Return an SPDX expression unchanged when it is in canonical form."""
    canonical = str(canonicalize_license_expression(text))
    if canonical != text:
        raise ValueError(f"write the SPDX expression as {canonical!r}")
    return text


Release_ = Annotated[Version, BeforeValidator(partial(_parse, kind=Version, parser=Version))]
Bounds = Annotated[
    SpecifierSet, BeforeValidator(partial(_parse, kind=SpecifierSet, parser=SpecifierSet))
]
Licence = Annotated[str, BeforeValidator(partial(_parse, kind=str, parser=_licence))]
Sha256 = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
Text = Annotated[str, Field(min_length=1, pattern=r"^\S")]
Home = Annotated[str, Field(pattern=r"^https://\S+[^/\s]$")]
Handle = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9-]*(/[A-Za-z0-9._-]+)?$")]
Name = Annotated[str, Field(pattern=r"^[A-Za-z][A-Za-z0-9._-]*$")]


class FactModel(BaseModel):
    """Be the base of every model of a fact file: frozen, and closed to unknown keys."""

    model_config = ConfigDict(
        frozen=True,
        extra="forbid",
        arbitrary_types_allowed=True,
        populate_by_name=True,
        defer_build=True,
    )


class Source(FactModel):
    """Say where the source archive of a version is and what its bytes are."""

    url: Annotated[str, Field(pattern=r"^https://\S*\{version\}\S*\.tar\.gz$")]
    sha256: Sha256 | None


class Floors(FactModel):
    """Name the oldest versions the release supports."""

    python: Release_
    rust: Release_


class Release(FactModel):
    """Identify the release: `packaging/release.yaml`."""

    name: Name
    import_name: Annotated[str, Field(alias="import", pattern=r"^[a-z_][a-z0-9_]*$")]
    version: Release_
    summary: Annotated[str, Field(pattern=r"^[A-Z][^\n]{9,86}[^\s.]$")]
    licence: Licence
    home: Home
    maintainers: Annotated[tuple[Handle, ...], Field(min_length=1)]
    floors: Floors
    source: Source
    published: bool

    @property
    def url(self) -> str:
        """Return the address of the source archive of this version."""
        return self.source.url.replace("{version}", str(self.version))

    @property
    def sdist(self) -> str:
        """Return the file name of the source archive."""
        return self.url.rsplit("/", 1)[1]

    @property
    def sha256(self) -> str:
        """Return the digest of the source archive, or raise when none is pinned yet."""
        if self.source.sha256 is None:
            raise GateError(
                "packaging/release.yaml: source.sha256 is null, so no recipe can be written",
                hint="run: nox -s gen (it builds the sdist and pins its digest)",
            )
        return self.source.sha256


class Names(FactModel):
    """Name one dependency in every ecosystem; a missing name means the lane does not list it."""

    pypi: Name | None = None
    spack: Name | None = None
    easybuild: Name | None = None
    conda: Name | None = None


class Dependency(FactModel):
    """Describe one dependency that is not a Rust crate."""

    role: Literal["build", "run", "extra", "tool"]
    extra: Name | None = None
    bounds: Bounds = SpecifierSet()
    licence: Licence
    reason: Text
    names: Names

    @model_validator(mode="after")
    def _extra_is_named(self) -> Dependency:
        if (self.role == "extra") != (self.extra is not None):
            raise ValueError("`extra` names the extra of a dependency whose role is `extra`")
        return self


class Crate(FactModel):
    """Describe one direct Rust dependency; its version is pinned in `packages/Cargo.lock`."""

    licence: Licence
    reason: Text


class Dependencies(FactModel):
    """List every dependency once: `packaging/dependencies.yaml`."""

    extras: dict[Name, Text]
    packages: dict[Name, Dependency]
    crates: dict[Name, Crate]

    @model_validator(mode="after")
    def _extras_match(self) -> Dependencies:
        used = {d.extra for d in self.packages.values() if d.extra}
        if used != set(self.extras):
            odd = ", ".join(sorted(used ^ set(self.extras)))
            raise ValueError(f"extras and the dependencies that name them differ: {odd}")
        return self

    def by_role(self, *roles: str) -> dict[str, Dependency]:
        """Return the dependencies that play one of the roles, in file order."""
        return {name: d for name, d in self.packages.items() if d.role in roles}


class WorkLane(FactModel):
    """Say what one lane of work owns and what it leaves alone."""

    lane: Text
    level: Annotated[str, Field(pattern=r"^(all|H[0-4]\+?)$")]
    owns: Annotated[tuple[Text, ...], Field(min_length=1)]
    leaves_alone: tuple[Text, ...]
    owners: Annotated[tuple[Handle, ...], Field(min_length=1)]


class WorkLanes(FactModel):
    """List the lanes of work: `packaging/lanes.yaml`."""

    default_owners: Annotated[tuple[Handle, ...], Field(min_length=1)]
    lanes: Annotated[tuple[WorkLane, ...], Field(min_length=1)]

    @model_validator(mode="after")
    def _globs_are_owned_once(self) -> WorkLanes:
        owned = [glob for lane in self.lanes for glob in lane.owns]
        twice = sorted({glob for glob in owned if owned.count(glob) > 1})
        if twice:
            raise ValueError(f"owned by two lanes: {', '.join(twice)}")
        return self


class Facts(FactModel):
    """Hold the facts that every lane shares."""

    release: Release
    dependencies: Dependencies
    work: WorkLanes


def load(root: Path) -> Facts:
    """Read and check the shared facts of a checkout.

    Raises
    ------
    GateError
        With every problem of the first file that has one.

    Examples
    --------
    >>> from hpcgate.repo import find_root
    >>> load(find_root(Path(__file__))).release.import_name
    'pymars'
    """
    return Facts(
        release=load_model(Release, root, "packaging/release.yaml"),
        dependencies=load_model(Dependencies, root, "packaging/dependencies.yaml"),
        work=load_model(WorkLanes, root, "packaging/lanes.yaml"),
    )


def load_model(model: type[Model], root: Path, path: str) -> Model:
    """Read one fact file of a checkout into its model; `path` is relative to `root`."""
    return check_model(model, read_yaml(root / path), path)


def bounds_text(bounds: SpecifierSet) -> str:
    """Write bounds with the lower one first.

    Examples
    --------
    >>> bounds_text(SpecifierSet("<2,>=1.8"))
    '>=1.8,<2'
    """
    order = (">=", ">", "==", "~=", "!=", "<", "<=")
    return ",".join(
        str(part) for part in sorted(bounds, key=lambda s: (order.index(s.operator), s.version))
    )


def read_yaml(path: Path) -> dict[str, Any]:
    """Return the mapping a YAML file holds, as plain Python values.

    Raises
    ------
    GateError
        If the file cannot be read, is not YAML, repeats a key, or holds something else than a
        mapping with text keys.
    """
    text = read_text(path)
    try:
        data = _quick(text)
        if data is None:
            data = YAML(typ="safe", pure=True).load(text)
    except MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        where = f"{path}:{mark.line + 1}" if mark else f"{path}"
        problem = str(error.problem or error.context).split(" with value")[0]
        raise GateError(f"{where}: {problem}", hint="mend the YAML") from None
    except (YAMLError, ValueError, RecursionError) as error:
        raise GateError(f"{path}: not YAML: {error}") from None
    if not isinstance(data, dict):
        raise GateError(f"{path}: holds {type(data).__name__}, a mapping is needed")
    odd = [key for key in data if not isinstance(key, str)]
    if odd:
        raise GateError(f"{path}: the key {odd[0]!r} is not a text", hint="write it in quotes")
    return data


def _quick(text: str) -> Any:
    """Return what the compiled parser reads, or None: what it refuses, the exact one explains."""
    if text.count("[") + text.count("{") > _DEEP or _NESTED.search(text):
        return None  # it would run out of stack
    try:
        return YAML(typ="safe").load(text)
    except (YAMLError, ValueError):
        return None


_DEEP = 1000
_NESTED = re.compile(r"^(?: {200}|\s*(?:[-?:]\s+){50})", re.MULTILINE)


def edit_yaml(path: Path, changes: Mapping[str, Scalar]) -> bool:
    """Replace single values of a YAML file and leave every other byte as it is.

    Parameters
    ----------
    path : Path
        The file to edit.
    changes : mapping of str to scalar
        Dotted key paths of existing scalar values, and their new values.

    Returns
    -------
    bool
        Whether the file changed.

    Raises
    ------
    GateError
        If a key path does not lead to a scalar value; the file is then unchanged.
    """
    read_yaml(path)
    text = read_text(path)
    tree = YAML(pure=True).compose(text)
    cuts = []
    for dotted, value in changes.items():
        node = _scalar_node(tree, dotted, path)
        start, end = node.start_mark.index, node.end_mark.index
        cuts.append((start, end, _scalar_text(value, quoted=text[start] in "\"'")))
    edited = text
    for start, end, new in sorted(cuts, reverse=True):
        edited = edited[:start] + new + edited[end:]
    if edited != text:
        write_text(path, edited)
    return edited != text


def _scalar_node(tree: Node, dotted: str, path: Path) -> ScalarNode:
    """Return the scalar that a dotted key path leads to."""
    node = tree
    for key in dotted.split("."):
        pairs = node.value if isinstance(node, MappingNode) else []
        children = {name.value: child for name, child in pairs}
        if key not in children:
            raise GateError(f"{path}: no key {dotted}{_nearest(key, children)}")
        node = children[key]
    if not isinstance(node, ScalarNode) or node.style in ("|", ">") or node.anchor:
        raise GateError(f"{path}: {dotted} is not a single plain value", hint="edit it by hand")
    if node.start_mark.index == node.end_mark.index:
        raise GateError(f"{path}: {dotted} has no value to replace", hint="write null there")
    return node


def _scalar_text(value: Scalar, *, quoted: bool) -> str:
    """Write a scalar so that YAML reads the same value back."""
    if not isinstance(value, str):
        return json.dumps(value)
    plain = re.fullmatch(r"[A-Za-z0-9][\w./:+-]*", value) and not value.endswith(":")
    if plain and not quoted and YAML(typ="safe", pure=True).load(value) == value:
        return value
    return json.dumps(value, ensure_ascii=False)


def check_model(model: type[Model], data: object, where: str | Path) -> Model:
    """Turn plain values into a model, or raise once with every problem.

    Parameters
    ----------
    model : type of BaseModel
        What the data must be.
    data : object
        Plain values, usually from `read_yaml`.
    where : str or Path
        The file, for the message.

    Examples
    --------
    >>> check_model(Crate, {"licence": "MIT", "reason": "Reads the spec"}, "x.yaml").licence
    'MIT'
    >>> check_model(Crate, {"licence": "MIT", "reson": "Reads the spec"}, "x.yaml")
    Traceback (most recent call last):
        ...
    hpcgate.errors.GateError: x.yaml: reason: missing; reson: unknown key, did you mean `reason`?
    """
    try:
        return model.model_validate(data)
    except ValidationError as error:
        problems = [_sentence(model, problem) for problem in error.errors(include_url=False)]
        raise GateError(f"{where}: {'; '.join(dict.fromkeys(problems))}") from None


def _sentence(model: type[BaseModel], problem: Mapping[str, Any]) -> str:
    """Describe one pydantic problem with its key path."""
    path, kind = problem["loc"], problem["type"]
    key = ".".join(str(part) for part in path if part != "[key]") or "the file"
    if kind == "missing":
        return f"{key}: missing"
    if kind == "extra_forbidden":
        valid = {name for owner in _models_at(model, path[:-1]) for name in _keys(owner)}
        return f"{key}: unknown key{_nearest(str(path[-1]), valid)}"
    if kind == "string_pattern_mismatch":
        return f"{key}: {problem['input']!r} does not match {problem['ctx']['pattern']}"
    message = str(problem["msg"]).removeprefix("Value error, ")
    return f"{key}: {message[0].lower()}{message[1:]}"


def _nearest(key: str, valid: Mapping[str, object] | set[str]) -> str:
    """Return a question that names the valid key nearest to a wrong one."""
    near = difflib.get_close_matches(key, sorted(valid), n=1, cutoff=0.0)
    return f", did you mean `{near[0]}`?" if near else ""


def _keys(model: type[BaseModel]) -> Iterator[str]:
    """List the keys a model accepts in YAML."""
    for name, field in model.model_fields.items():
        yield field.alias or name


def _models_at(annotation: Any, path: tuple[Any, ...]) -> Iterator[type[BaseModel]]:
    """Find the models that a path of keys and positions can lead to inside a type."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        if not path:
            yield annotation
        for name, field in annotation.model_fields.items():
            if path and path[0] in (name, field.alias):
                yield from _models_at(field.annotation, path[1:])
        return
    # A container eats one part of the path; a union or an annotation eats none.
    for inner in get_args(annotation):
        yield from _models_at(inner, path)
        if path:
            yield from _models_at(inner, path[1:])
