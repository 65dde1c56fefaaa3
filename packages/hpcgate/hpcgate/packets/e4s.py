# Language policy: EXEMPT from the Rust-path rule. Assembles texts; no computation.
"""The request to join E4S: catalogue entry, policy self-assessment, form, test-suite entry."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import Field

from hpcgate.errors import GateError
from hpcgate.facts import FactModel, load_model
from hpcgate.packets.base import Context, Settings, answers, render, yaml_text

__all__ = ["E4S"]

ACCELERATOR_LEVEL = 3
# The catalogue reads these, and finds the documents they name in the repository.
TEMPLATES = {
    ".e4s/e4s.yaml": "e4s.yaml.j2",
    "environment_entry.yaml": "environment_entry.yaml.j2",
    "products_entry.yaml": "products_entry.yaml.j2",
    "packet.md": "packet.md.j2",
}
SUITE = ("setup.sh", "compile.sh", "run.sh", "clean.sh", "replay.py")


class Request(Settings):
    """`packaging/e4s/packet.yaml`."""

    spack_name: Annotated[str, Field(pattern=r"^py-[a-z0-9-]+$")]
    area: Annotated[str, Field(min_length=1)]
    docs: Annotated[tuple[str, ...], Field(min_length=1)]
    member: bool


class Policy(FactModel):
    """One community policy: what would show it, in our words."""

    id: Annotated[str, Field(pattern=r"^P[1-9]$")]
    title: Annotated[str, Field(min_length=1)]
    explanation: Annotated[str, Field(min_length=1)]
    evidence: Annotated[tuple[str, ...], Field(min_length=1)]
    files: tuple[str, ...] = ()
    needs_published: bool = False
    gap: str = ""


class Policies(FactModel):
    """`packaging/e4s/policies.yaml`."""

    version: Annotated[str, Field(pattern=r"^\d+\.\d+$")]
    format: Annotated[str, Field(pattern=r"^\d+\.\d+$")]
    policies: Annotated[tuple[Policy, ...], Field(min_length=9, max_length=9)]


class E4S:
    """Assemble `submissions/e4s/`."""

    name = "e4s"
    settings = Request

    def blockers(self, context: Context, settings: Request) -> list[str]:
        """Name the check without which E4S cannot install the package."""
        if not context.assessment.checks["smoke-spack"].satisfied:
            return ["the Spack recipe has no passing record of an installation"]
        return []

    def render(self, context: Context, settings: Request, blockers: list[str]) -> dict[str, str]:
        """Return the catalogue entry, the self-assessment, the form and the test-suite entry."""
        missing = [path for path in settings.docs if not (context.root / path).is_file()]
        if missing:
            raise GateError(f"packaging/e4s/packet.yaml: docs: {missing[0]} does not exist")
        policies = self._policies(context)
        names: dict[str, Any] = {
            "settings": settings,
            "blockers": blockers,
            "policies": policies["policies"],
            "accelerable": context.declared >= ACCELERATOR_LEVEL,
        }
        form = {field.id: text for field, text in answers(context, **names)}
        note = "Derived from packaging/e4s and the ledger by `nox -s packets`; not edited here."
        files = {path: render(context, template, **names) for path, template in TEMPLATES.items()}
        files[".e4s/e4s-policy-compatability-1.0.yaml"] = self._self_assessment(context, policies)
        files["new_package.yaml"] = yaml_text(form, note)
        suite = f"testsuite/validation_tests/{settings.spack_name}"
        for name in SUITE:
            files[f"{suite}/{name}"] = render(context, f"testsuite/{name}.j2", **names)
        return files

    def _policies(self, context: Context) -> dict[str, Any]:
        """Derive each status: 2 complete, 1 incomplete, 0 unreported."""
        facts = load_model(Policies, context.root, "packaging/e4s/policies.yaml")
        lines = []
        for policy in facts.policies:
            met, lacking = context.gaps(policy.evidence, policy.files)
            if policy.needs_published and not context.facts.release.published:
                lacking.append("the release is not published")
            if policy.gap:
                lacking.append(policy.gap)
            status = 2 if not lacking else 1 if met else 0
            parts = [policy.explanation.strip()]
            parts += [f"Shown by: {'; '.join(met)}."] if met else []
            parts += [f"Lacking: {'; '.join(lacking)}."] if lacking else []
            lines.append(
                {
                    "id": policy.id,
                    "title": policy.title,
                    "policy_status": status,
                    "explanation": " ".join(parts),
                }
            )
        return {"version": facts.version, "format": facts.format, "policies": lines}

    def _self_assessment(self, context: Context, policies: dict[str, Any]) -> str:
        """Write the file that the E4S policy tool reads; its spelling is theirs."""
        lines = [
            {key: line[key] for key in ("id", "policy_status", "explanation")}
            for line in policies["policies"]
        ]
        document = {
            "product_name": context.facts.release.name,
            "overall_policy_status": min(line["policy_status"] for line in policies["policies"]),
            "e4s_policy_version": float(policies["version"]),
            "e4s_policy_compatability_format_version": float(policies["format"]),
            "policy_groups": [{"Official": {"policies": lines}}],
        }
        note = "Derived from packaging/e4s and the ledger by `nox -s packets`; not edited here."
        return yaml_text(document, note)
