# Language policy: EXEMPT from the Rust-path rule. Drives Spack in a clean room; no computation.
"""The smoke session of the Spack lane: a real Spack installs the recipe, tests it, uses it.

Spack and its builtin repository are given, found, or cloned at pinned commits; never replaced by a
stand-in. Only the preparation reaches a network; everything from the audit to the removal runs
without one, on the crates that the sdist carries.
"""

from __future__ import annotations

import argparse
import re
import shutil
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from rich.console import Console

from hpcgate import facts
from hpcgate.cleanroom.toolchain import rust_toolchain
from hpcgate.errors import GateError
from hpcgate.evidence import Outcome
from hpcgate.lanes import spack_host as host
from hpcgate.lanes import spack_refusals as refusals
from hpcgate.lanes import spack_site as site
from hpcgate.lanes import spack_source, spack_style
from hpcgate.lanes.spack_session import ENVIRONMENT, LOGS, MODULES, Session, StageFailed
from hpcgate.repo import find_root, write_text
from hpcgate.smoke import Smoke, conclude, exit_status, read_report

__all__ = ["main", "read_test_results", "run"]

CHECK = "smoke-spack"
KEPT = Path("build") / CHECK

_STATUS = "PASSED|FAILED|SKIPPED|NO_TESTS"
_PACKAGE = re.compile(rf"^==>\s+(\S+)-\d[^-\s]*-[a-z0-9]{{7}} ({_STATUS})\s*$", re.MULTILINE)
_PART = re.compile(rf"^({_STATUS}): (\w+)::(\w[\w.]*)", re.MULTILINE)
_TOTAL = re.compile(r"^==> py-mars-earth: Successfully.*\n.*Total: (?:(\d+)m )?([\d.]+)s", re.M)


def run(
    root: Path,
    *,
    spack_root: Path | None = None,
    packages: Path | None = None,
    wrapper: Path | None = None,
    engine: host.EngineChoice = "auto",
    bad_input: bool = False,
    keep: bool = False,
) -> Outcome:
    """Install the recipe with a real Spack in a clean room, use it, and write the evidence.

    Parameters
    ----------
    root : Path
        The checkout; its sdist lies in `dist/`.
    spack_root, packages : Path, optional
        Spack and a checkout of spack-packages; looked for when not given.
    wrapper : Path, optional
        The source archive of Spack's compiler wrapper; fetched by Spack when not given.
    engine : {"auto", "podman", "docker", "bwrap", "none"}
        What runs the room. None is this machine itself with its network cut.
    bad_input : bool
        Show how Spack refuses bad input, instead of the installation.
    keep : bool
        Keep the work folder as `build/smoke-spack`.

    Returns
    -------
    {"pass", "fail", "unavailable"}
        Unavailable when there is no Spack, no room or no package index.

    Examples
    --------
    >>> run(find_root(), spack_root=Path("/opt/spack"))  # doctest: +SKIP
    'pass'
    """
    known = facts.load(root)
    sdist = root / "dist" / known.release.sdist
    if not sdist.is_file():
        raise GateError(f"{sdist} is missing", hint="python -m hpcgate.sdist --sdist-only")
    shutil.rmtree(root / LOGS, ignore_errors=True)
    console = Console(stderr=True)
    smoke = Smoke()
    try:
        spack = spack_source.spack_of(root, spack_root)
        builtin = spack_source.packages_of(root, packages, spack)
        rust, toolchain = rust_toolchain()
        smoke.tools |= {
            "spack-commit": spack_source.commit_of(spack),
            "spack-packages-commit": spack_source.commit_of(builtin),
            "rust": rust,
        }
        with (
            console.status("clean room (minutes the first time)") as status,
            host.room(root, engine, builtin, toolchain) as (room, places),
        ):
            smoke.tools |= {"engine": room.engine, "image": room.image}
            try:
                session = Session(root, known, smoke, room, places, status)
                site.prepare(session, spack, builtin)
                (refusals.show if bad_input else _show)(session, sdist, wrapper)
            except StageFailed:
                pass
            finally:
                if keep:
                    shutil.rmtree(root / KEPT, ignore_errors=True)
                    shutil.move(room.work, root / KEPT)
    except GateError as error:
        smoke.unavailable = str(error)
    check = refusals.CHECK if bad_input else CHECK
    return conclude(smoke, root, [sdist], check, title=check, logs=f"logs {LOGS}")


def _show(session: Session, sdist: Path, wrapper: Path | None) -> None:
    """Go through the stages; the first that fails ends the session."""
    _no_network(session)
    session.stage("repository", after="spack repo list")
    spack_style.check_style(session)
    spack_style.check_catalogue(session, session.stage("info"))
    session.stage("audit")
    session.stage("concretize")
    site.fill_mirror(session, sdist, wrapper)
    _install(session)
    recipes = [site.recipe_of(session.root, name) for name in ("py_mars_earth", "mars_earth")]
    expected = {recipe.class_name: set(recipe.tests) for recipe in recipes}
    for name, passed in read_test_results(session.stage("test"), expected).items():
        session.judge(name, passed, "", "test")
    _use(session)
    # Every clean room has the module command; a machine need not.
    if session.say("has-modules", f"test -e {MODULES}").ok:
        session.stage("module")
    else:
        session.smoke.tools["modules"] = f"not tried, no {MODULES}"
    _write_environment(session)
    session.stage("environment")
    session.stage("mirror")
    session.stage("cache")
    session.stage("variants", after="python3 $WORK/scripts/use_variants.py")
    session.stage("uninstall", after="! spack find mars-earth py-mars-earth")
    left = ", ".join(session.prefixes()) or "nothing"
    session.judge("nothing-left-behind", left == "nothing", left, "uninstall")


def _no_network(session: Session) -> None:
    """Show that the stages reach no network."""
    seen = session.say("no-network", "tail -n +3 /proc/self/net/dev | cut -d: -f1").stdout.split()
    detail = f"interfaces: {', '.join(seen) or 'none'}"
    session.judge("no-network", set(seen) <= {"lo"}, detail, "no-network")


def _install(session: Session) -> None:
    """Install, and take in how long the build of our own package took."""
    try:
        printed = session.stage("install")
    except StageFailed:
        left = ", ".join(session.prefixes()) or "nothing"
        session.smoke.add("nothing-half-installed", left == "nothing", left)
        raise
    if total := _TOTAL.search(printed):
        seconds = 60 * int(total[1] or 0) + float(total[2])
        session.smoke.measurements["py_mars_earth_build_seconds"] = seconds


def _use(session: Session) -> None:
    """Load the package as a user does, and hold it against the frozen vectors."""
    # Exit status 1 says that a test failed, which the report tells better.
    script = "python3 $WORK/scripts/use_installed.py $WORK/opt $WORK/vectors || [ $? = 1 ]"
    printed = session.stage("load", after=script)
    report = read_report(printed)
    if report is None:
        session.judge("use-reports", False, "the script printed no report", "load")
        return
    session.smoke.tools |= report.versions
    session.smoke.measurements |= report.measurements
    for test in report.tests:
        session.judge(test.name, test.passed, test.detail, "load")


def read_test_results(printed: str, expected: Mapping[str, set[str]]) -> dict[str, bool]:
    """Read what `spack test results -l` prints.

    Parameters
    ----------
    printed : str
        Its output.
    expected : mapping of str to set of str
        The `test_` methods of each package class.

    Returns
    -------
    dict of str to bool
        Each package and each method, and whether it passed. One that did not run has not passed,
        nor has an import test that found nothing to import.

    Examples
    --------
    >>> read_test_results("", {"MarsEarth": {"test_cli"}})
    {'spack-test-mars-earth': False, 'mars-earth-test-cli': False}
    """
    packages = {name: status for name, status in _PACKAGE.findall(printed)}
    parts: dict[tuple[str, str], set[str]] = {}
    for status, owner, name in _PART.findall(printed):
        parts.setdefault((owner, name), set()).add(status)
    results = {}
    for owner, names in sorted(expected.items()):
        package = re.sub(r"(?<!^)(?=[A-Z])", "-", owner).lower()
        results[f"spack-test-{package}"] = packages.get(package) == "PASSED"
        imports = {name for own, name in parts if own == owner and name.startswith("test_imports")}
        for name in sorted(names | imports):
            passed = parts.get((owner, name)) == {"PASSED"}
            label = re.sub(r"[^a-z0-9]+", "-", f"{package}-{name}".lower())
            results[label] = passed
    if "Detected the following modules: []" in printed:
        results["imports-are-not-empty"] = False
    return results


def _write_environment(session: Session) -> None:
    text = ENVIRONMENT.replace("{version}", str(session.facts.release.version))
    write_text(session.room.work / "environment" / "spack.yaml", text)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the session from the command line; anything but a pass is exit status 1."""
    parser = argparse.ArgumentParser(
        prog="python -m hpcgate.lanes.spack_smoke", description=(__doc__ or "").splitlines()[0]
    )
    parser.add_argument("--spack-root", type=Path, help="Spack; SPACK_ROOT or PATH by default")
    parser.add_argument("--packages", type=Path, help="a checkout of spack-packages")
    parser.add_argument("--compiler-wrapper", type=Path, help="its source archive")
    parser.add_argument("--engine", choices=host.ENGINES, default="auto")
    parser.add_argument("--bad-input", action="store_true", help="show what Spack refuses, and how")
    parser.add_argument("--keep", action="store_true", help=f"keep the work folder as {KEPT}")
    options = parser.parse_args(arguments)
    outcome = run(
        find_root(),
        spack_root=options.spack_root,
        packages=options.packages,
        wrapper=options.compiler_wrapper,
        engine=options.engine,
        bad_input=options.bad_input,
        keep=options.keep,
    )
    return 0 if outcome == "pass" else 1


if __name__ == "__main__":
    sys.exit(exit_status(CHECK, main))
