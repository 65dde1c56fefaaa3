# Language policy: EXEMPT from the Rust-path rule. Reads package metadata; no computation.
"""The environment of the tests as a CycloneDX 1.6 document: what is installed, in exact versions.

It describes the interpreter that runs it, so a session calls it in the environment the tests use.
"""

from __future__ import annotations

import platform
from importlib import metadata
from pathlib import Path

from cyclonedx.model import Property
from cyclonedx.model.component import Component, ComponentType
from cyclonedx.model.license import DisjunctiveLicense, LicenseExpression
from packageurl import PackageURL
from packaging.licenses import InvalidLicenseExpression, canonicalize_license_expression
from packaging.requirements import InvalidRequirement, Requirement
from packaging.utils import canonicalize_name

from hpcgate.facts import load
from hpcgate.supply.sbom import document, new_bom

__all__ = ["environment_sbom"]

# A package of this checkout, installed in place; no index has it.
UNPUBLISHED = {"hpcgate"}


def environment_sbom(root: Path) -> str:
    """Return the document of the running interpreter's environment.

    Examples
    --------
    >>> from hpcgate.repo import find_root
    >>> '"pkg:pypi/pydantic@' in environment_sbom(find_root(Path(__file__)))
    True
    """
    found: dict[str, metadata.Distribution] = {}
    for one in metadata.distributions():
        found.setdefault(canonicalize_name(one.metadata["Name"]), one)
    known = {name: _component(name, one) for name, one in sorted(found.items())}
    about = Component(
        type=ComponentType.PLATFORM,
        name="the environment of the tests",
        bom_ref="environment",
        properties=[Property(name="mars-earth:python", value=platform.python_version())],
    )
    bom = new_bom(load(root).release, about, None)
    bom.components.update(known.values())
    bom.register_dependency(about, list(known.values()))
    for name, one in found.items():
        bom.register_dependency(known[name], [known[need] for need in _needs(one) if need in known])
    return document(bom)


def _component(name: str, found: metadata.Distribution) -> Component:
    purl = PackageURL("pypi", name=name, version=found.version)
    licence = _licence(found)
    return Component(
        type=ComponentType.LIBRARY,
        name=name,
        version=found.version,
        bom_ref=str(purl),
        purl=None if name in UNPUBLISHED else purl,
        licenses=[licence] if licence else [],
    )


def _licence(found: metadata.Distribution) -> LicenseExpression | DisjunctiveLicense | None:
    """Return the SPDX expression, or the words a package uses instead, or nothing."""
    about = found.metadata
    said = next((about[key] for key in ("License-Expression", "License") if key in about), "")
    try:
        return LicenseExpression(str(canonicalize_license_expression(said)))
    except InvalidLicenseExpression:
        lines = said.strip().splitlines()
    named = [
        text.rpartition(" :: ")[2]
        for text in about.get_all("Classifier") or ()
        if text.startswith("License :: ")
    ]
    words = named or lines[:1]
    return DisjunctiveLicense(name=words[0]) if words else None


def _needs(found: metadata.Distribution) -> list[str]:
    """Return what a package requires here; its extras are not followed."""
    names: list[str] = []
    for text in found.requires or ():
        try:
            wanted = Requirement(text)
        except InvalidRequirement:
            continue
        if wanted.marker is None or wanted.marker.evaluate({"extra": ""}):
            names.append(canonicalize_name(wanted.name))
    return names
