# Language policy: EXEMPT from the Rust-path rule. Checks forms and renders texts.
"""What every packet needs: its settings, the answers to its form, its evidence, its templates."""

from __future__ import annotations

import io
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal, Protocol

from jinja2 import Environment, FileSystemLoader, StrictUndefined, TemplateError
from pydantic import Field
from ruamel.yaml import YAML
from ruamel.yaml.scalarstring import LiteralScalarString, SingleQuotedScalarString

from hpcgate.errors import GateError
from hpcgate.evidence import Contract
from hpcgate.facts import FactModel, Facts, load_model, read_yaml
from hpcgate.levels import Assessment, level_name

__all__ = ["Context", "Settings", "Target", "answers", "placeholders", "render", "yaml_text"]

# What is left in a text that nobody finished. An address between angle brackets is finished.
_UNFINISHED = re.compile(
    r"\b(?:TBD|TBC|TODO|FIXME|XXX+|lorem ipsum|placeholder)\b"
    r"|\bto be (?:done|decided|determined|added)\b"
    r"|<(?!https?:|!--)[A-Za-z][^<>\n]*>|\{\{|\}\}|\{%|\$\{[a-z]|\bexample\.(?:com|org)\b",
    re.IGNORECASE,
)

# conda-forge's recipes are full of these, and rattler-build fills them.
_EXPRESSION = re.compile(r"\$\{\{ [^{}\n]+ \}\}")


class Settings(FactModel):
    """What every `packaging/<target>/packet.yaml` says.

    `declared_level` is `supported`, or a level that must not be above the supported one.
    """

    target: Annotated[str, Field(min_length=1)]
    declared_level: Literal["supported", "none", "H0", "H1", "H2", "H3", "H4"]


class Field_(FactModel):
    """One field of a community's form."""

    id: Annotated[str, Field(pattern=r"^[A-Za-z][A-Za-z0-9-]*$")]
    label: Annotated[str, Field(min_length=1)]
    required: bool = False
    choices: tuple[str, ...] = ()


class Form(FactModel):
    """A community's form, in its order."""

    source: Annotated[str, Field(min_length=1)]
    fields: Annotated[tuple[Field_, ...], Field(min_length=1)]


@dataclass(frozen=True, slots=True)
class Context:
    """Everything a packet is assembled from."""

    root: Path
    folder: str
    facts: Facts
    contract: Contract
    assessment: Assessment
    declared: int

    @property
    def items(self) -> list[dict[str, Any]]:
        """The checks this packet rests on: all that H0 needs, and whatever else has a record."""
        wanted: dict[str, list[str]] = {name: [] for name in self.contract.checks}
        needed = set()
        for requirement in self.contract.requirements:
            wanted[requirement.check].append(requirement.id)
            if requirement.level == 0:
                needed.add(requirement.check)
        return [
            {
                "check": name,
                "requirements": wanted[name],
                "outcome": status.outcome,
                "counts": status.satisfied,
                "record": status.record,
                "path": status.path,
                "sha256": status.digest,
            }
            for name, status in self.assessment.checks.items()
            if name in needed or status.record
        ]

    @property
    def non_claims(self) -> list[str]:
        """One sentence for each level above the declared one."""
        above = (level for level in self.contract.levels if level.level > self.declared)
        return [sentence for level in above for sentence in level.non_claims]

    @property
    def blockers(self) -> list[str]:
        """What stands between any packet and its community."""
        release = self.facts.release
        found = []
        if not release.published:
            found.append(f"{release.name} {release.version} is not published yet")
        if self.assessment.level < 0:
            found.append("no contract level is supported yet; H0 is the lowest that can be filed")
        if not self.assessment.release:
            found.append("assembled from a working tree; a packet to file is made with --release")
        return found

    def gaps(self, checks: Sequence[str], files: Sequence[str]) -> tuple[list[str], list[str]]:
        """Return what supports a statement and what it lacks, in words."""
        met: list[str] = []
        lacking: list[str] = []
        for name in checks:
            self.contract.check(name)
            status = self.assessment.checks[name]
            (met if status.satisfied else lacking).append(
                f"record {status.record}" if status.satisfied else f"check {name}: {status.outcome}"
            )
        for name in files:
            present = (self.root / name).exists()
            (met if present else lacking).append(f"{name}" if present else f"{name} does not exist")
        return met, lacking


class Target(Protocol):
    """One community that takes packets."""

    @property
    def name(self) -> str:
        """Folder name below `packaging/` and `submissions/`."""

    @property
    def settings(self) -> type[Settings]:
        """Model of `packaging/<name>/packet.yaml`."""

    def blockers(self, context: Context, settings: Any) -> list[str]:
        """Return what this community needs and does not have yet."""

    def render(self, context: Context, settings: Any, blockers: list[str]) -> dict[str, str]:
        """Return the packet's files without its manifest: relative path to text."""


def answers(context: Context, **names: Any) -> list[tuple[Field_, str]]:
    """Return the form's fields with their answers, in the order of the form.

    The answers lie in `packaging/<target>/answers.yaml` and are Jinja texts. An optional field
    whose answer comes out empty is left out.

    Raises
    ------
    GateError
        With every problem: an id the form does not have, a required field without an answer, a
        choice the form does not offer, an unfinished text.
    """
    form = load_model(Form, context.root, f"packaging/{context.folder}/form.yaml")
    where = f"packaging/{context.folder}/answers.yaml"
    given = read_yaml(context.root / where)
    problems = [
        f"{key}: the form has no such id" for key in given.keys() - {f.id for f in form.fields}
    ]
    answered = []
    for field in form.fields:
        template = given.get(field.id, "")
        if not isinstance(template, str):
            problems.append(f"{field.id}: {template!r} is not a text; write it in quotes")
            continue
        text = render(context, template, inline=True, **names).strip()
        if field.required and not text:
            problems.append(f"{field.id}: the form requires an answer")
        if text and field.choices and text not in field.choices:
            problems.append(f"{field.id}: {text!r} is not one of {', '.join(field.choices)}")
        problems += [f"{field.id}: unfinished text {word!r}" for word in placeholders(text)]
        if text:
            answered.append((field, text))
    if problems:
        raise GateError(f"{where}: {'; '.join(sorted(problems))}")
    return answered


def placeholders(text: str) -> list[str]:
    """Return what looks unfinished in a text.

    Examples
    --------
    >>> placeholders("Write to <name> at <https://github.com>, TBD")
    ['<name>', 'TBD']
    >>> placeholders("version: ${{ version }}, {{ version }}")
    ['{{', '}}']
    """
    return _UNFINISHED.findall(_EXPRESSION.sub("", text))


def render(context: Context, template: str, *, inline: bool = False, **names: Any) -> str:
    """Fill a template of the packet's folder, or with `inline` the text itself.

    Every template sees `release`, `dependencies`, `assessment`, `declared`, `context` and
    `exists(path)`. A name it does not know is an error.
    """
    folders = [context.root / "packaging" / name for name in (context.folder, "packets")]
    environment = Environment(
        loader=FileSystemLoader(folders),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
        autoescape=False,
    )
    try:
        found = environment.from_string(template) if inline else environment.get_template(template)
        return found.render(
            release=context.facts.release,
            dependencies=context.facts.dependencies,
            assessment=context.assessment,
            declared=context.declared,
            declared_name=level_name(context.declared),
            context=context,
            exists=lambda path: (context.root / path).exists(),
            **names,
        )
    except TemplateError as error:
        what = "answers.yaml" if inline else template
        raise GateError(f"packaging/{context.folder}/{what}: {error}") from None


def yaml_text(data: Mapping[str, Any] | Sequence[Any], comment: str = "") -> str:
    r"""Return YAML in the given order, long texts as blocks.

    Examples
    --------
    >>> yaml_text({"a": "one"}, comment="Derived.")
    '# Derived.\na: one\n'
    """
    writer = YAML()
    writer.width = 4096
    writer.indent(mapping=2, sequence=4, offset=2)
    stream = io.StringIO()
    writer.dump(_blocks(data), stream)
    return (f"# {comment}\n" if comment else "") + stream.getvalue()


def _blocks(data: Any) -> Any:
    if isinstance(data, Mapping):
        return {key: _blocks(value) for key, value in data.items()}
    if isinstance(data, (list, tuple)):
        return [_blocks(value) for value in data]
    if isinstance(data, str) and "\n" in data:
        return LiteralScalarString(data if data.endswith("\n") else data + "\n")
    # Readers of YAML 1.1 take a bare Yes or No for a truth value.
    if isinstance(data, str) and data.lower() in ("yes", "no", "on", "off", "y", "n"):
        return SingleQuotedScalarString(data)
    return data
