# Language policy: EXEMPT from the Rust-path rule. Compares claims with a level; no computation.
"""The gate: compare what files claim with the level that the evidence supports."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack
from datetime import datetime, timezone
from functools import partial
from pathlib import Path

from hpcgate.claims import lexicon as words
from hpcgate.claims.files import Files, Judged, matches, name_of, shared_out
from hpcgate.claims.levels_named import citations, qualifies
from hpcgate.claims.lexicon import Lexicon
from hpcgate.claims.memory import Memory
from hpcgate.claims.model import Claim, Finding, Unit
from hpcgate.claims.readers import known
from hpcgate.claims.records import FOLDER, unsupported
from hpcgate.claims.support import Support, meanwhile, support
from hpcgate.claims.suppress import apply
from hpcgate.repo import tracked_files

__all__ = ["Gate", "Support", "check", "in_scope", "matches", "scope", "support"]


def scope(root: Path) -> list[Path]:
    """Return the files the gate reads by default, relative to the checkout."""
    globs = _exempt(root)
    return [path for path in tracked_files(root) if known(path) and not matches(path, globs)]


def in_scope(root: Path, path: Path) -> bool:
    """Whether a reader knows a file of the checkout and the lexicon does not exempt it."""
    return known(path) and not matches(Path(name_of(root / path, root.resolve())), _exempt(root))


def _exempt(root: Path) -> list[str]:
    return [exemption.path for exemption in words.load(root).data.exempt]


def check(
    root: Path,
    paths: Iterable[Path] | None = None,
    *,
    strict: bool = False,
    level: int | None = None,
    supported: Callable[[], Support] | None = None,
    memory: Path | None = None,
) -> list[Finding]:
    """Return every violation in the files.

    Parameters
    ----------
    root : Path
        The checkout, whose lexicon and evidence hold.
    paths : iterable of Path, optional
        The files; the whole checkout by default. They may lie outside of it.
    strict : bool
        Refuse placeholders in what is bound upstream.
    level : int, optional
        The level to assume, -1 for none; computed from the evidence by default.
    supported : callable, optional
        Says what the evidence supports, for a caller that has begun to find out; wins over `level`.
    memory : Path, optional
        A folder in which a run over the whole checkout remembers files that say nothing.

    Examples
    --------
    >>> from hpcgate.repo import find_root
    >>> root = find_root()
    >>> check(root, [root / "LICENSE"], level=4)
    []
    """
    # The evidence is read while the words and the files are.
    with ExitStack() as stack:
        if supported is None:
            supported = partial(support, root, level)
            if level is None:
                supported = stack.enter_context(meanwhile(supported))
        lexicon = words.load(root)
        files = scope(root) if paths is None else list(paths)
        reader = Files(root.resolve(), lexicon, strict)
        known = Memory(root, strict, memory) if memory and paths is None else None
        silent = {} if known is None else known.silent(reader.root, files)
        unread = [path for path in files if path not in silent]
        judged = stack.enter_context(shared_out(reader, unread))
        gate = Gate(root.resolve(), lexicon, supported(), strict)
        said = judged()
        found = [finding for one in said for finding in gate.weigh(one)]
    if known is not None:
        known.keep({*silent.values(), *(one.digest for one in said if one.digest)})
    names = {name_of(path if path.is_absolute() else root / path, gate.root) for path in files}
    today = datetime.now(timezone.utc).date()
    return apply(found, lexicon.data.suppressions, names, today)


class Gate:
    """One run: the lexicon and the supported level."""

    def __init__(self, root: Path, lexicon: Lexicon, supported: Support, strict: bool) -> None:
        self.root = root
        self.lexicon = lexicon
        self.supported = supported
        self.files = Files(root, lexicon, strict)

    def file(self, path: Path) -> list[Finding]:
        """Return the violations of one file."""
        return self.weigh(self.files.file(path))

    def weigh(self, judged: Judged) -> list[Finding]:
        """Return the violations in what a file says."""
        found = [*judged.findings, *self._declared(judged)]
        for unit, claims in judged.said:
            found += self._unit(judged, unit, claims)
        return sorted(dict.fromkeys(found), key=lambda f: (f.line, f.rule))

    def _declared(self, judged: Judged) -> Iterator[Finding]:
        level = judged.declared
        if level is not None and level > self.supported.level:
            yield Finding(
                judged.name,
                judged.declared_line,
                "level-above-evidence",
                f"hpc_level: H{level}",
                f"the file declares H{level}; the evidence supports {self._ceiling_name()}",
                level,
                self._evidence(level),
                f"hpc_level: {self._ceiling_name()}"
                if self.supported.level >= 0
                else "leave hpc_level out until there is evidence",
            )

    def _unit(self, judged: Judged, unit: Unit, claims: tuple[Claim, ...]) -> Iterator[Finding]:
        name, declared = judged.name, judged.declared
        for requirement in citations(unit.text):
            met = self.supported.requirements.get(requirement)
            if not met:
                why = "is not met" if met is False else "is unknown"
                yield Finding(
                    name,
                    unit.line,
                    "unmet-citation",
                    f"(evidence: {requirement})",
                    f"the cited requirement {requirement} {why}",
                )
        best: dict[tuple[int, bool], Claim] = {}
        for claim in claims:
            key = (claim.start, claim.declared)
            if key not in best or best[key].level < claim.level:
                best[key] = claim
        qualified: dict[int, bool] = {}
        for claim in best.values():
            ceiling = self.supported.level
            if not claim.declared and declared is not None:
                ceiling = min(ceiling, declared)
            if claim.level <= ceiling:
                yield from self._number(name, unit, claim)
                continue
            if claim.level not in qualified:
                near = unit.near or unit.text
                qualified[claim.level] = qualifies(
                    self.lexicon, near, claim.level, self.supported.level
                )
            if qualified[claim.level] and not claim.declared:
                yield from self._number(name, unit, claim)
                continue
            yield self._finding(name, unit, claim, ceiling, declared)

    def _number(self, name: str, unit: Unit, claim: Claim) -> Iterator[Finding]:
        """Yield a finding for a number about speed that no record supports."""
        if claim.declared:
            return
        reason = unsupported(self.root, claim.text, unit.near or unit.text)
        if reason is not None:
            yield Finding(
                name,
                unit.line + unit.text.count("\n", 0, claim.start),
                "speed-without-record",
                claim.text,
                reason,
                claim.level,
                f"a record in {FOLDER}/ whose `ratios` hold the number, named beside it",
                "docs/benchmarks/<name>.json records the run time; no factor is stated here.",
            )

    def _finding(
        self, name: str, unit: Unit, claim: Claim, ceiling: int, declared: int | None
    ) -> Finding:
        line = unit.line + unit.text.count("\n", 0, claim.start)
        if claim.declared:
            return Finding(
                name,
                line,
                "level-above-evidence",
                claim.text,
                f"declares H{claim.level}; the evidence supports {self._ceiling_name()}",
                claim.level,
                self._evidence(claim.level),
                f"The implemented level is {self._ceiling_name()}.",
            )
        limit = (
            f"the file declares H{declared}"
            if declared is not None and declared == ceiling and declared < self.supported.level
            else f"the evidence supports {self._ceiling_name()}"
        )
        advice = self.lexicon.data.levels[f"H{claim.level}"]  # type: ignore[index]
        return Finding(
            name,
            line,
            "claim-above-level",
            claim.text,
            f"claims {advice.name} ({claim.term}); {limit}",
            claim.level,
            advice.evidence,
            advice.wording.format(ceiling=f"H{ceiling}" if ceiling >= 0 else "none"),
        )

    def _evidence(self, level: int) -> str:
        if level == 0:
            return "recorded installs through the three lanes"
        return self.lexicon.data.levels[f"H{level}"].evidence  # type: ignore[index]

    def _ceiling_name(self) -> str:
        return f"H{self.supported.level}" if self.supported.level >= 0 else "none"
