# Language policy: EXEMPT from the Rust-path rule. Compares texts; no computation.
"""What a rendered recipe and a built package have to look like."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from hpcgate.facts import Dependency, Facts, read_yaml
from hpcgate.lanes.conda_forge import conda_range
from hpcgate.repo import read_text

__all__ = ["conda_build_problems", "package_problems", "plan_problems"]


def plan_problems(target: str, build: str, recipe: dict[str, Any], facts: Facts) -> list[str]:
    """Return what is wrong with the plan for one platform; an empty list when it is right.

    Parameters
    ----------
    target, build : str
        The platform of the package and the one that builds it, for example `osx-arm64`.
    recipe : dict
        The recipe as rattler-build renders it.
    facts : Facts
        The shared facts, which say what it has to ask for.

    Examples
    --------
    >>> plan_problems("linux-64", "linux-64", plan, facts)  # doctest: +SKIP
    []
    """
    requirements = recipe["requirements"]
    here, host, run = (requirements.get(key, []) for key in ("build", "host", "run"))
    named = [spec.split()[0] for spec in here]
    windows = target.startswith("win-")
    problems = []

    for_cross = ["python", f"cross-python_{target}", "maturin"]
    wrong = [name for name in for_cross if (name in named) != (target != build)]
    if wrong:
        word = "lacks" if target != build else "needs no"
        problems.append(f"build {word} {', '.join(wrong)}")
    compilers = [name for name in named if name.endswith(f"_{target}") and name not in for_cross]
    if len(compilers) != 3:  # whatever they are called on the platform
        problems.append(f"build has not one C compiler, one C library and one Rust for {target}")
    if strangers := [name for name in named if "_" in name and not name.endswith(f"_{target}")]:
        problems.append(f"build has compilers of another platform: {', '.join(strangers)}")

    wanted = ["python-abi3", "python", "pip", *_specs(facts, "build")]
    if sorted(host) != sorted(wanted):
        problems.append(f"host is {', '.join(host)}, not {', '.join(wanted)}")
    wanted = ["python", *_specs(facts, "run")]
    if sorted(run) != sorted(wanted):
        problems.append(f"run is {', '.join(run)}, not {', '.join(wanted)}")

    if not requirements.get("run_constraints"):
        problems.append("nothing keeps away the package whose module has the same name")
    if not recipe["build"].get("python", {}).get("version_independent"):
        problems.append("the package is not version independent")
    script = recipe["build"]["script"]
    if not script[0].startswith("set " if windows else "export "):
        problems.append(f"`{script[0]}` is not a line for the shell of {target}")
    module = "%SP_DIR%/pymars/_core.pyd" if windows else "$SP_DIR/pymars/_core.abi3.so"
    if module not in str(recipe["tests"]):
        problems.append(f"no test audits {module}")
    return problems


def conda_build_problems(recipe: dict[str, Any], facts: Facts) -> list[str]:
    """Return what is wrong with the recipe for conda-build, as conda-build renders it.

    A rendered recipe pins what it solved and adds what that exports, so it may ask for more.

    Examples
    --------
    >>> conda_build_problems(rendered, facts)  # doctest: +SKIP
    []
    """
    release, requirements = facts.release, recipe["requirements"]
    here, host, run = (requirements.get(key, []) for key in ("build", "host", "run"))
    problems = [
        f"{key} is {said}, not {wanted}"
        for key, said, wanted in (
            ("version", str(recipe["package"]["version"]), str(release.version)),
            ("url", recipe["source"]["url"], release.url),
            ("sha256", recipe["source"]["sha256"], release.sha256),
            ("licence", recipe["about"]["license"], str(release.licence)),
        )
        if said != wanted
    ]
    if len([spec for spec in here if "_" in spec.split()[0]]) != 3:
        problems.append("build has not one C compiler, one C library and one Rust")
    known = facts.dependencies.by_role("build").values()
    names = ["python", "pip", *(str(d.names.conda) for d in known)]
    if missing := [name for name in names if name not in [spec.split()[0] for spec in host]]:
        problems.append(f"host lacks {', '.join(missing)}")
    if missing := [spec for spec in _specs(facts, "run") if spec not in run]:
        problems.append(f"run lacks {', '.join(missing)}")
    return problems


def package_problems(unpacked: Path, facts: Facts) -> list[str]:
    """Return what is wrong with an unpacked package; an empty list when it is right.

    Examples
    --------
    >>> package_problems(Path("unpacked"), facts)  # doctest: +SKIP
    []
    """
    release, problems = facts.release, []
    index, link = (
        json.loads(read_text(unpacked / "info" / f"{n}.json")) for n in ("index", "link")
    )
    files = sorted(path.relative_to(unpacked).as_posix() for path in unpacked.rglob("*.*"))

    depends = index["depends"]
    wanted = {
        *_specs(facts, "run"),
        f"cpython >={release.floors.python}",
        "_python_abi3_support 1.*",
    }
    if missing := sorted(wanted - set(depends)):
        problems.append(f"it does not depend on {', '.join(missing)}")
    if bound := [spec for spec in depends if spec.startswith("python_abi ")]:
        problems.append(f"it is bound to one Python: {', '.join(bound)}")
    if (licence := index.get("license", "not said")) != str(release.licence):
        problems.append(f"its licence is {licence}")

    command = f"{release.name} = {release.import_name}.cli:main"
    if command not in link["noarch"].get("entry_points", []):
        problems.append(f"the installer does not write the command `{command}`")
    module = f"site-packages/{release.import_name}/_core.abi3.so"
    modules = [path for path in files if path.endswith((".so", ".pyd"))]
    if modules != [module]:
        problems.append(f"its compiled modules are {', '.join(modules) or 'none'}, not {module}")
    if static := [path for path in files if path.endswith((".a", ".lib"))]:
        problems.append(f"it ships the static library {static[0]}")
    if stray := [path for path in files if path.startswith("site-packages/vendor")]:
        problems.append(f"it holds {stray[0]}")
    return problems + _licence_problems(unpacked / "info" / "licenses", facts)


def _licence_problems(folder: Path, facts: Facts) -> list[str]:
    """Check that the licence texts of the package and of its crates travel with it."""
    ours, theirs = folder / "LICENSE", folder / "THIRDPARTY.yml"
    if missing := [path.name for path in (ours, theirs) if not path.is_file()]:
        return [f"no {', '.join(missing)} in info/licenses"]
    texts = {
        crate["package_name"]: [licence["text"].strip() for licence in crate["licenses"]]
        for crate in read_yaml(theirs)["third_party_libraries"]
    }
    problems = []
    if unlisted := sorted(set(facts.dependencies.crates) - set(texts)):
        problems.append(f"THIRDPARTY.yml does not list {', '.join(unlisted)}")
    if empty := [name for name, found in texts.items() if not found or not all(found)]:
        problems.append(f"THIRDPARTY.yml has no licence text for {', '.join(empty)}")
    return problems


def _specs(facts: Facts, role: str) -> list[str]:
    return [_spec(dependency) for dependency in facts.dependencies.by_role(role).values()]


def _spec(dependency: Dependency) -> str:
    return f"{dependency.names.conda} {conda_range(dependency.bounds)}".rstrip()
