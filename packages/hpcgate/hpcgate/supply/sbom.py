# Language policy: EXEMPT from the Rust-path rule. Arranges facts; a library writes the document.
"""The release as a CycloneDX 1.6 document: Python packages with bounds, crates with digests.

The same facts and the same lock give the same bytes: the serial number is made from the content,
and the time is SOURCE_DATE_EPOCH or that of the last commit that changed the facts.
"""

from __future__ import annotations

import json
import os
from datetime import datetime, timezone
from importlib.metadata import version
from pathlib import Path
from uuid import UUID, uuid5

from cyclonedx.model import (
    ExternalReference,
    ExternalReferenceType,
    HashAlgorithm,
    HashType,
    Property,
    XsUri,
)
from cyclonedx.model.bom import Bom, BomMetaData
from cyclonedx.model.component import Component, ComponentScope, ComponentType
from cyclonedx.model.contact import OrganizationalContact
from cyclonedx.model.license import LicenseExpression
from cyclonedx.model.lifecycle import LifecyclePhase, PredefinedLifecycle
from cyclonedx.model.tool import ToolRepository
from cyclonedx.output.json import JsonV1Dot6
from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator
from packageurl import PackageURL

from hpcgate.errors import GateError
from hpcgate.facts import Dependency, Release, bounds_text, load
from hpcgate.repo import git
from hpcgate.supply.crates import LOCK, TABLE, LockedCrate, crates
from hpcgate.supply.parts import PYTHON_ROLES

__all__ = [
    "document",
    "new_bom",
    "release_sbom",
    "stem",
    "verify_sbom",
]

INPUTS = ("packaging/release.yaml", "packaging/dependencies.yaml", TABLE, LOCK)
OURS = "mars-earth"
# Serial numbers are names in this space; the space itself is the name of the project's address.
SPACE = UUID("6ba7b811-9dad-11d1-80b4-00c04fd430c8")
SCOPES = {
    "run": ComponentScope.REQUIRED,
    "linked": ComponentScope.REQUIRED,
    "extra": ComponentScope.OPTIONAL,
    "build": ComponentScope.EXCLUDED,
}


def release_sbom(root: Path) -> str:
    """Return the document of the release: its Python packages, its crates, and the graph.

    Raises
    ------
    GateError
        If a fact, the lock or the table of licences is missing or wrong.
    """
    facts, locked = load(root), crates(root)
    release = _about(facts.release)
    bom = new_bom(facts.release, release, _when(root))
    listed = facts.dependencies.by_role(*PYTHON_ROLES)
    python = [_package(name, found) for name, found in listed.items()]
    rust = {crate.key: _crate(crate) for crate in locked}
    needed = {key for crate in locked for key in crate.needs}
    bom.components.update([*python, *rust.values()])
    tops = [component for key, component in rust.items() if key not in needed]
    bom.register_dependency(release, [*python, *tops])
    for crate in locked:
        bom.register_dependency(rust[crate.key], [rust[key] for key in crate.needs])
    return document(bom)


def stem(root: Path) -> str:
    """Return how the files of this release begin.

    Examples
    --------
    >>> from hpcgate.repo import find_root
    >>> stem(find_root(Path(__file__))).partition("-")[0]
    'mars_earth'
    """
    return load(root).release.sdist.removesuffix(".tar.gz")


def document(bom: Bom) -> str:
    """Give a bom the serial number of its content, and return it as checked JSON."""
    bom.serial_number = UUID(int=0)
    bom.serial_number = uuid5(SPACE, JsonV1Dot6(bom).output_as_string())
    text = JsonV1Dot6(bom).output_as_string(indent=2) + "\n"
    verify_sbom(text)
    return text


def verify_sbom(text: str, where: str = "the document") -> None:
    """Hold a document against the CycloneDX 1.6 schema, strictly.

    Raises
    ------
    GateError
        With the first violation.

    Examples
    --------
    >>> verify_sbom('{"bomFormat": "CycloneDX"}', "x")
    Traceback (most recent call last):
        ...
    hpcgate.errors.GateError: x is not CycloneDX 1.6: 'specVersion' is a required property
    """
    try:
        found = JsonStrictValidator(SchemaVersion.V1_6).validate_str(text)
    except ValueError as error:
        raise GateError(f"{where} is not JSON: {error}") from None
    if found is not None:
        said = getattr(found.data, "message", str(found.data))
        raise GateError(f"{where} is not CycloneDX 1.6: {' '.join(said.split())[:200]}")
    # The schema of each version accepts every version's number.
    number = json.loads(text)["specVersion"]
    if number != "1.6":
        raise GateError(f"{where} is not CycloneDX 1.6: it says {number}")


def _about(release: Release) -> Component:
    """Return the component that the document is about."""
    links = [ExternalReference(type=ExternalReferenceType.VCS, url=XsUri(release.home))]
    if release.source.sha256:
        archive = ExternalReference(
            type=ExternalReferenceType.SOURCE_DISTRIBUTION,
            url=XsUri(release.url),
            comment="published" if release.published else "not published yet",
            hashes=[HashType(alg=HashAlgorithm.SHA_256, content=release.source.sha256)],
        )
        links.append(archive)
    purl = PackageURL("pypi", name=release.name, version=str(release.version))
    return Component(
        type=ComponentType.LIBRARY,
        name=release.name,
        version=str(release.version),
        bom_ref=str(purl),
        purl=purl,
        description=release.summary,
        licenses=[LicenseExpression(release.licence)],
        external_references=links,
        properties=[Property(name=f"{OURS}:python", value=f">={release.floors.python}")],
    )


def new_bom(release: Release, about: Component, when: datetime | None) -> Bom:
    """Return an empty bom about a component, with its authors and tool."""
    tool = Component(
        type=ComponentType.APPLICATION,
        name="hpcgate",
        version=version("hpcgate"),
        bom_ref="tool:hpcgate",
    )
    metadata = BomMetaData(
        component=about,
        authors=[OrganizationalContact(name=handle) for handle in release.maintainers],
        lifecycles=[PredefinedLifecycle(LifecyclePhase.BUILD)],
        tools=ToolRepository(components=[tool]),
    )
    # The library takes today where nothing is given; without a known time there is none.
    metadata.timestamp = when  # type: ignore[assignment]
    return Bom(metadata=metadata)


def _package(name: str, found: Dependency) -> Component:
    """Describe a Python package; it has bounds and no version, as nothing pins one."""
    purl = PackageURL("pypi", name=found.names.pypi or name)
    says = {"role": found.role, "extra": found.extra, "bounds": bounds_text(found.bounds)}
    return Component(
        type=ComponentType.LIBRARY,
        name=found.names.pypi or name,
        bom_ref=str(purl),
        purl=purl,
        scope=SCOPES[found.role],
        licenses=[LicenseExpression(found.licence)],
        properties=[
            Property(name=f"{OURS}:{key}", value=said) for key, said in says.items() if said
        ],
    )


def _crate(crate: LockedCrate) -> Component:
    """Describe a crate; one of this workspace is published nowhere and has no package URL."""
    purl = PackageURL("cargo", name=crate.name, version=crate.version) if crate.sha256 else None
    return Component(
        type=ComponentType.LIBRARY,
        name=crate.name,
        version=crate.version,
        bom_ref=str(purl or f"workspace:{crate.name}@{crate.version}"),
        purl=purl,
        scope=SCOPES[crate.use],
        licenses=[LicenseExpression(crate.licence)],
        hashes=[HashType(alg=HashAlgorithm.SHA_256, content=crate.sha256)] if crate.sha256 else [],
        properties=[Property(name=f"{OURS}:role", value=crate.use)],
    )


def _when(root: Path) -> datetime | None:
    """Return SOURCE_DATE_EPOCH, or when the facts last changed in git, or nothing."""
    given = os.environ.get("SOURCE_DATE_EPOCH", "").strip()
    if not given and (root / ".git").exists():
        given = git(root, "log", "-1", "--format=%ct", "--", *INPUTS).strip()
    if not given:
        return None
    try:
        return datetime.fromtimestamp(int(given), timezone.utc)
    except (ValueError, OverflowError, OSError):
        raise GateError(f"SOURCE_DATE_EPOCH {given!r} is not a number of seconds") from None
