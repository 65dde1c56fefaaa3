# Language policy: EXEMPT from the Rust-path rule. Assembles texts; no computation.
"""The proposal to the High Performance Software Foundation: form, ballot, readiness."""

from __future__ import annotations

import json
from typing import Annotated, Any, Literal

from pydantic import Field

from hpcgate.facts import FactModel, load_model
from hpcgate.packets.base import Context, Settings, answers, render, yaml_text
from hpcgate.supply.parts import parts, table

__all__ = ["HPSF"]

Stage = Literal["Emerging", "Established", "Core"]
STAGES: tuple[Stage, ...] = ("Emerging", "Established", "Core")
SPONSORS, USERS = 2, 3


class Proposal(Settings):
    """`packaging/hpsf/packet.yaml`. People are listed once they have agreed, never before."""

    maturity: Stage
    tac_sponsors: tuple[str, ...]
    production_users: tuple[str, ...]


class Criterion(FactModel):
    """One line of the ballot: what would show it, and why it is not met where nothing can."""

    number: Annotated[int, Field(ge=1, le=12)]
    stage: Stage
    title: Annotated[str, Field(min_length=1)]
    evidence: tuple[str, ...] = ()
    files: tuple[str, ...] = ()
    people: Literal["tac_sponsors", "production_users"] | None = None
    gap: str = ""


class Ballot(FactModel):
    """`packaging/hpsf/ballot.yaml`."""

    criteria: Annotated[tuple[Criterion, ...], Field(min_length=12, max_length=12)]


class HPSF:
    """Assemble `submissions/hpsf/`."""

    name = "hpsf"
    settings = Proposal

    def blockers(self, context: Context, settings: Proposal) -> list[str]:
        """Name the people that are missing, and nothing else: nobody is invented."""
        found = []
        missing = SPONSORS - len(settings.tac_sponsors)
        if missing > 0:
            found.append(f"{missing} of {SPONSORS} sponsors from the council are missing")
        if settings.maturity != "Emerging" and len(settings.production_users) < USERS:
            found.append(f"fewer than {USERS} production users have agreed to be named")
        return found

    def render(self, context: Context, settings: Proposal, blockers: list[str]) -> dict[str, str]:
        """Return proposal, presentation, ballot, dependencies and readiness."""
        found = parts(context.root)
        lines = self._ballot(context, settings)
        names: dict[str, Any] = {"settings": settings, "blockers": blockers, "ballot": lines}
        answered = answers(context, parts=found, **names)
        unmet = [line for line in lines if line["status"] == "unmet"]
        note = "Derived from packaging/hpsf and the ledger by `nox -s packets`; not edited here."
        readiness = {
            "fileable": not blockers,
            "blockers": blockers,
            "unmet_criteria": [line["number"] for line in unmet],
        }
        return {
            "proposal.yaml": yaml_text({field.id: text for field, text in answered}, note),
            "proposal.md": render(context, "proposal.md.j2", answered=answered, **names),
            "presentation.md": render(context, "presentation.md.j2", **names),
            "ballot.yaml": yaml_text({"criteria": lines}, note),
            "dependencies.csv": table(found),
            "readiness.json": json.dumps(readiness, indent=2) + "\n",
        }

    def _ballot(self, context: Context, settings: Proposal) -> list[dict[str, object]]:
        """Judge each criterion; those of a stage above the one asked for do not apply."""
        criteria = load_model(Ballot, context.root, "packaging/hpsf/ballot.yaml").criteria
        asked = STAGES.index(settings.maturity)
        lines: list[dict[str, object]] = []
        for criterion in criteria:
            met, lacking = context.gaps(criterion.evidence, criterion.files)
            if criterion.people:
                people = getattr(settings, criterion.people)
                needed = SPONSORS if criterion.people == "tac_sponsors" else USERS
                met += people
                if len(people) < needed:
                    lacking.append(f"{len(people)} of {needed} are named")
            if criterion.gap:
                lacking.append(criterion.gap)
            applies = STAGES.index(criterion.stage) <= asked
            line: dict[str, object] = {
                "number": criterion.number,
                "stage": criterion.stage,
                "title": criterion.title,
                "status": ("unmet" if lacking else "met") if applies else "not applicable",
                "evidence": met,
                "lacks": lacking,
            }
            lines.append(line)
        return lines
