# Language policy: EXEMPT from the Rust-path rule. Assembles texts; no computation.
"""The pull request to a package manager: its files at their paths, and its text."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from hpcgate.errors import GateError
from hpcgate.evidence import Record, load
from hpcgate.facts import bounds_text
from hpcgate.lanes import Lane
from hpcgate.packets.base import Context, Settings, render

__all__ = ["Upstream"]

TEXT = "pull_request.md"


class Contribution(Settings):
    """`packaging/upstream/<lane>/packet.yaml`: where the recipe goes, and which check shows it."""

    repository: Annotated[str, Field(pattern=r"^[\w.-]+/[\w.-]+$")]
    check: Annotated[str, Field(min_length=1)]


class Upstream:
    """Assemble `submissions/upstream/<lane>/`.

    The recipe is rendered from the same facts and template as the one in our own repository, so
    the two cannot differ in anything but what the other repository asks for.
    """

    settings = Contribution

    def __init__(self, lane: Lane) -> None:
        self.lane = lane
        self.name = f"upstream/{lane.name}"

    def blockers(self, context: Context, settings: Contribution) -> list[str]:
        """Name the check without which no reviewer should be asked to look."""
        context.contract.check(settings.check)
        if not context.assessment.checks[settings.check].satisfied:
            return [f"the check {settings.check} has no passing record"]
        return []

    def render(
        self, context: Context, settings: Contribution, blockers: list[str]
    ) -> dict[str, str]:
        """Return the recipe at its upstream path, and the title and text of the pull request."""
        files = self.lane.upstream(context.facts, context.root)
        if not files or TEXT in files:
            raise GateError(f"the {self.lane.name} lane gives no files for {settings.repository}")
        text = render(
            context,
            f"{TEXT}.j2",
            settings=settings,
            blockers=blockers,
            files=sorted(files),
            bounds=bounds_text,
            run=self._shown(context, settings),
        )
        return {**files, TEXT: text}

    def _shown(self, context: Context, settings: Contribution) -> Record | None:
        """Return the record that counts, from which the text takes versions and figures."""
        status = context.assessment.checks[settings.check]
        if not status.satisfied:
            return None
        return next(found for found in load(context.root) if found.path == status.path)
