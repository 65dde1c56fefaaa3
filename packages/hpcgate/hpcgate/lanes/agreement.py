# Language policy: EXEMPT from the Rust-path rule. Compares recipes with facts; no computation.
"""Agreement: the same version, digest, bounds, licence and summary wherever one is stated.

Every statement is compared with the facts, so two recipes that agree with them agree with each
other. The manifests of pip and cargo are compared too: they repeat the facts by necessity.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet
from packaging.version import Version

from hpcgate import facts as facts_module
from hpcgate.facts import Dependency, Facts
from hpcgate.lanes import conda_forge_lint, easybuild_lint, spack_lint
from hpcgate.lanes.base import Problem, read_toml
from hpcgate.lanes.conda_forge import conda_range
from hpcgate.lanes.easybuild import FACTS, LOCK, EasyBuildFacts, read_lock
from hpcgate.lanes.spack import spack_range
from hpcgate.repo import read_text

__all__ = ["lint"]

MANIFEST = "packages/pymars/pyproject.toml"
REASONS = "packaging/dependencies.yaml"


def lint(root: Path) -> list[Problem]:
    """Return every statement of a recipe or manifest that differs from the facts."""
    facts = facts_module.load(root)
    problems = [*_spack(facts, root), *_easybuild(facts, root), *_conda_forge(facts, root)]
    if (root / MANIFEST).is_file():
        problems += _manifest(facts, root)
    problems += _crates(facts, root)
    return problems


def _compare(file: str, said: dict[str, object], known: dict[str, object]) -> Iterator[Problem]:
    """Yield a problem for each statement that differs."""
    for key in sorted(said.keys() | known.keys()):
        if said.get(key) != known.get(key):
            message = f"{key} is {said.get(key)!r}, the facts say {known.get(key)!r}"
            yield Problem(file, "agreement", message)


def _spack(facts: Facts, root: Path) -> Iterator[Problem]:
    """Compare the package files with the facts."""
    release, known = facts.release, facts.dependencies
    specs = {
        *("c", f"rust@{release.floors.rust}:", f"python@{release.floors.python}:"),
        *(
            f"{d.names.spack}{spack_range(d.bounds)}"
            for d in known.by_role("build", "run", "extra").values()
        ),
    }
    shared = {
        "version": [str(release.version)],
        "licence": [release.licence],
        "homepage": release.home,
        "maintainers": release.maintainers,
        "variants": sorted(known.extras.items()),
    }
    for path in sorted((root / "spack").glob("spack_repo/*/packages/*/package.py")):
        try:
            package = spack_lint.read_package(read_text(path))
        except SyntaxError:  # the lane's own check reports it
            continue
        said: dict[str, object] = {
            "version": [d.arguments[0] for d in package.calls("version")],
            "licence": [d.arguments[0] for d in package.calls("license")],
            "homepage": package.values.get("homepage"),
            "maintainers": tuple(n for d in package.calls("maintainers") for n in d.arguments),
            "variants": sorted(
                (d.arguments[0], d.keywords.get("description")) for d in package.calls("variant")
            ),
        }
        expected: dict[str, object] = dict(shared)
        if package.base == "PythonPackage":
            said["sha256"] = [d.keywords.get("sha256") for d in package.calls("version")]
            said["summary"] = package.docstring
            said["depends_on"] = sorted(str(d.arguments[0]) for d in package.calls("depends_on"))
            expected["sha256"] = [release.source.sha256]
            expected["summary"] = f"{release.summary}."
            expected["depends_on"] = sorted(specs)
        yield from _compare(path.relative_to(root).as_posix(), said, expected)


def _easybuild(facts: Facts, root: Path) -> Iterator[Problem]:
    """Compare the easyconfigs with the facts, the lock file and the bounds."""
    release = facts.release
    lane = facts_module.load_model(EasyBuildFacts, root, FACTS)
    crates = read_lock(root / LOCK) if (root / LOCK).is_file() else []
    for config in easybuild_lint.read_easyconfigs(root):
        values = config.values
        digests = [pair for pair in values.get("checksums", []) if isinstance(pair, dict)]
        generation = lane.generations.get(values.get("toolchain", {}).get("version"))
        said: dict[str, object] = {
            "name": values.get("name"),
            "version": values.get("version"),
            "homepage": values.get("homepage"),
            "description": values.get("description"),
            "sha256": next((pair.get(release.sdist) for pair in digests), None),
            "modulename": values.get("options", {}).get("modulename"),
            "modules": config.modules(),
            "crates": values.get("crates"),
            "crate checksums": digests[1:],
        }
        expected: dict[str, object] = {
            "name": release.name,
            "version": str(release.version),
            "homepage": release.home,
            "description": f"{release.summary}.",
            "sha256": release.source.sha256,
            "modulename": release.import_name,
            "modules": {**generation.build, **generation.run} if generation else None,
            "crates": [(crate.name, crate.version) for crate in crates],
            "crate checksums": [{crate.archive: crate.checksum} for crate in crates],
        }
        yield from _compare(config.file, said, expected)
    for name, generation in lane.generations.items():
        offers = {**generation.build, **generation.run, **generation.provides}
        for problem in _outside(facts, offers):
            yield Problem(FACTS, "bounds", f"generation {name}: {problem}")


def _outside(facts: Facts, offers: dict[str, str]) -> Iterator[str]:
    """Yield what a toolchain generation lacks or offers outside the bounds."""
    floors = facts.release.floors
    wanted = {
        "Rust": SpecifierSet(f">={floors.rust}"),
        "Python": SpecifierSet(f">={floors.python}"),
    }
    for name, dependency in facts.dependencies.by_role("build", "run").items():
        if dependency.names.easybuild:
            wanted[name] = dependency.bounds
    for name, bounds in wanted.items():
        if name not in offers:
            yield f"no version of {name} is known"
        elif Version(offers[name]) not in bounds:
            yield f"{name} {offers[name]} is outside {bounds}"


def _conda_forge(facts: Facts, root: Path) -> Iterator[Problem]:
    """Compare the recipe with the facts."""
    release, known = facts.release, facts.dependencies
    for file, recipe in conda_forge_lint.read_recipes(root).items():
        parts: dict[str, Any] = {
            key: recipe[key] if isinstance(recipe.get(key), dict) else {}
            for key in ("context", "source", "about", "extra", "requirements")
        }
        said: dict[str, object] = {
            "version": parts["context"].get("version"),
            "url": str(parts["source"].get("url")).replace("${{ version }}", "{version}"),
            "sha256": parts["source"].get("sha256"),
            "summary": parts["about"].get("summary"),
            "licence": parts["about"].get("license"),
            "homepage": parts["about"].get("homepage"),
            "maintainers": parts["extra"].get("recipe-maintainers"),
            "run": sorted(conda_forge_lint.specs(parts["requirements"].get("run", []))),
            "maturin": [
                spec
                for spec in conda_forge_lint.specs(parts["requirements"].get("host", []))
                if spec.startswith("maturin")
            ],
        }
        expected: dict[str, object] = {
            "version": str(release.version),
            "url": release.source.url,
            "sha256": release.source.sha256,
            "summary": release.summary,
            "licence": release.licence,
            "homepage": release.home,
            "maintainers": list(release.maintainers),
            "run": sorted(["python", *map(_conda_spec, known.by_role("run").values())]),
            "maturin": [_conda_spec(known.packages["maturin"])],
        }
        yield from _compare(file, said, expected)


def _conda_spec(dependency: Dependency) -> str:
    """Return the spec the recipe has to hold."""
    return f"{dependency.names.conda} {conda_range(dependency.bounds)}".rstrip()


def _manifest(facts: Facts, root: Path) -> Iterator[Problem]:
    """Compare the manifest that pip reads with the facts."""
    release, known = facts.release, facts.dependencies
    manifest = read_toml(root / MANIFEST)
    project = manifest.get("project", {})
    optional = project.get("optional-dependencies", {})
    said: dict[str, object] = {
        "name": project.get("name"),
        "description": project.get("description"),
        "licence": project.get("license"),
        "requires-python": project.get("requires-python"),
        "build": _requirements(manifest.get("build-system", {}).get("requires", [])),
        "run": _requirements(project.get("dependencies", [])),
        **{f"extra {e}": _requirements(optional.get(e, [])) for e in known.extras},
    }
    expected: dict[str, object] = {
        "name": release.name,
        "description": release.summary,
        "licence": release.licence,
        "requires-python": f">={release.floors.python}",
        "build": _bounds(known.by_role("build")),
        "run": _bounds(known.by_role("run")),
        **{
            f"extra {e}": _bounds({n: d for n, d in known.packages.items() if d.extra == e})
            for e in known.extras
        },
    }
    # The version may come from Cargo; then the workspace comparison below covers it.
    if "version" not in project.get("dynamic", []):
        said["version"], expected["version"] = project.get("version"), str(release.version)
    yield from _compare(MANIFEST, said, expected)


def _requirements(lines: list[str]) -> dict[str, str]:
    """Return the bounds of pip requirements, by name."""
    return {found.name: str(found.specifier) for found in map(Requirement, lines)}


def _bounds(dependencies: dict[str, Dependency]) -> dict[str, str]:
    """Return the bounds that pip has to see, by name."""
    return {d.names.pypi: str(d.bounds) for d in dependencies.values() if d.names.pypi}


def _crates(facts: Facts, root: Path) -> Iterator[Problem]:
    """Compare the cargo manifests with the facts: version, licence, floor, direct crates."""
    workspace = root / "packages" / "Cargo.toml"
    if not workspace.is_file():
        return
    manifest = read_toml(workspace).get("workspace", {})
    shared = manifest.get("package", {})
    said: dict[str, object] = {
        "version": shared.get("version"),
        "licence": shared.get("license"),
        "rust-version": shared.get("rust-version"),
    }
    expected: dict[str, object] = {
        "version": str(facts.release.version),
        "licence": facts.release.licence,
        "rust-version": str(facts.release.floors.rust),
    }
    yield from _compare("packages/Cargo.toml", said, expected)
    used = set()
    for member in manifest.get("members", []):
        path = workspace.parent / member / "Cargo.toml"
        if not path.is_file():
            continue
        for name, wanted in read_toml(path).get("dependencies", {}).items():
            if not (isinstance(wanted, dict) and "path" in wanted):
                used.add(name)
    for name in sorted(used.symmetric_difference(facts.dependencies.crates)):
        yield Problem(REASONS, "crates", f"{name} is in the facts or in Cargo.toml, not in both")
