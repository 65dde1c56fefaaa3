# Language policy: EXEMPT from the Rust-path rule. Writes recipes from facts; no computation.
"""The EasyBuild lane: one easyconfig for each toolchain generation, crates from the lock file."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from pydantic import Field, model_validator

from hpcgate.errors import GateError
from hpcgate.facts import FactModel, Facts, load_model
from hpcgate.lanes import easybuild_lint
from hpcgate.lanes.base import Problem, is_sha256, read_toml, render_template

__all__ = ["LOCK", "Crate", "EasyBuildFacts", "EasyBuildLane", "read_lock"]

LOCK = "packages/Cargo.lock"
FACTS = "packaging/easybuild/facts.yaml"
Modules = Annotated[dict[str, str], Field(min_length=1)]


class Generation(FactModel):
    """Hold the module versions of one toolchain generation."""

    GCCcore: str
    build: Modules
    run: Modules
    provides: dict[str, str]


class EasyBuildFacts(FactModel):
    """Hold `packaging/easybuild/facts.yaml`."""

    moduleclass: str
    toolchain: str
    upstream_commit: Annotated[str, Field(pattern=r"^[0-9a-f]{40}$")]
    upstream_generation: str
    generations: Annotated[dict[str, Generation], Field(min_length=1)]

    @model_validator(mode="after")
    def _offers_what_it_has(self) -> EasyBuildFacts:
        if self.upstream_generation not in self.generations:
            raise ValueError(f"upstream_generation {self.upstream_generation} is not among them")
        return self


@dataclass(frozen=True, slots=True, order=True)
class Crate:
    """Hold one crate of the registry as the lock file pins it."""

    name: str
    version: str
    checksum: str

    @property
    def archive(self) -> str:
        """Return the name that EasyBuild gives to the crate's archive."""
        return f"{self.name}-{self.version}.tar.gz"


class EasyBuildLane:
    """Render and check the easyconfigs."""

    name = "easybuild"
    rooms = ("easybuild/",)

    def render(self, facts: Facts, root: Path) -> dict[str, str]:
        """Return one easyconfig for each generation of the lane's facts, and a list of sources."""
        lane = load_model(EasyBuildFacts, root, FACTS)
        release = facts.release
        crates = read_lock(root / LOCK)
        digests = [(release.sdist, release.sha256)]
        digests += [(crate.archive, crate.checksum) for crate in crates]
        listed = render_template(root, "packaging/easybuild/sources.sha256.j2", digests=digests)
        files = {f"easybuild/sources/{release.name}-{release.version}.sha256": listed}
        for generation in lane.generations:
            files |= _easyconfig(facts, root, lane, crates, generation)
        return files

    def upstream(self, facts: Facts, root: Path) -> dict[str, str]:
        """Return the one easyconfig that the evidence shows, without the mark of derived files."""
        lane = load_model(EasyBuildFacts, root, FACTS)
        crates = read_lock(root / LOCK)
        return _easyconfig(facts, root, lane, crates, lane.upstream_generation, ours=False)

    def lint(self, root: Path) -> list[Problem]:
        """Return the EasyBuild conventions that the committed easyconfigs break."""
        return easybuild_lint.lint(root)


def _easyconfig(
    facts: Facts,
    root: Path,
    lane: EasyBuildFacts,
    crates: list[Crate],
    generation: str,
    *,
    ours: bool = True,
) -> dict[str, str]:
    """Return the easyconfig of one generation under its path, which is the same upstream."""
    release = facts.release
    folder, _, _ = release.source.url.rpartition("/")
    version = str(release.version)
    text = render_template(
        root,
        "packaging/easybuild/easyconfig.eb.j2",
        ours=ours,
        lane=lane,
        release=release,
        source_url=folder.replace("{version}", "%(version)s"),
        sdist=release.sdist.replace(version, "%(version)s"),
        crates=crates,
        generation=generation,
        modules=lane.generations[generation],
    )
    return {easybuild_lint.path_of(release.name, version, lane.toolchain, generation): text}


def read_lock(path: Path) -> list[Crate]:
    """Return the registry crates that a `Cargo.lock` pins, sorted by name and version.

    EasyBuild's checksum of a crate archive is the checksum of the lock file, so nothing has to be
    fetched.

    Raises
    ------
    GateError
        If the file is missing or broken, or pins a crate that no registry holds.
    """
    if not path.is_file():
        raise GateError(f"{path}: missing, so no crates can be listed", hint="cargo metadata")
    crates = []
    for package in read_toml(path).get("package", []):
        name, source = package.get("name"), package.get("source")
        if source is None:
            continue
        if not str(source).startswith(("registry+", "sparse+")):
            raise GateError(f"{path}: {name} comes from {source}; a lane needs a registry crate")
        crate = Crate(str(name), str(package.get("version")), str(package.get("checksum")))
        if not is_sha256(crate.checksum):
            raise GateError(f"{path}: {name} has no checksum", hint="cargo update --workspace")
        crates.append(crate)
    if not crates:
        raise GateError(f"{path}: pins no crate", hint="cargo generate-lockfile")
    return sorted(crates)
