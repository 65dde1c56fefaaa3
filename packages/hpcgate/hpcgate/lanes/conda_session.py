# Language policy: EXEMPT from the Rust-path rule. Drives rattler-build; no computation.
"""The stages of the conda-forge smoke session that use rattler-build and rattler."""

from __future__ import annotations

import json
import shutil
from dataclasses import dataclass
from pathlib import Path

from hpcgate.errors import GateError
from hpcgate.facts import Facts, read_yaml
from hpcgate.lanes import conda_forge_lint
from hpcgate.lanes.conda_channel import PLATFORM, Channel, given_channel
from hpcgate.lanes.conda_plans import package_problems, plan_problems
from hpcgate.lanes.conda_sandbox import Sandbox
from hpcgate.lanes.conda_standins import StandIns, make_channel
from hpcgate.repo import read_text, sha256_file, write_text
from hpcgate.smoke import Smoke, read_report

__all__ = ["Session"]

SCRIPTS = ("tests/smoke/wheel_smoke.py", "tests/smoke/conda_forge/conformance.py")
# What a leaking PATH would show first.
TOOLS = "python python3 pip pytest cargo rustc maturin gcc cc abi3audit conda"
VARIABLES = {"HOME", "TMPDIR", "PATH", "LANG", "OPENBLAS_NUM_THREADS", "PWD", "SHLVL", "_"}


@dataclass(slots=True)
class Session:
    """Hold what one run works with; its public methods are the stages, in order.

    A stage returns what it has seen, and raises what stops the session.
    """

    root: Path
    sdist: Path
    recipe: Path
    sandbox: Sandbox
    facts: Facts
    standins: StandIns
    smoke: Smoke
    asked: tuple[str, Path] | None = None
    channel: Channel | None = None
    package: Path | None = None
    carried: tuple[str, ...] = ()

    @property
    def against(self) -> Channel:
        """Return the channel that builds and installs take everything else from."""
        assert self.channel is not None, "a stage before this one makes the channel"
        return self.channel

    @property
    def own_channel(self) -> Path:
        """Return the folder of the channel that holds nothing but the finished package."""
        return self.sandbox.folder / "channel"

    @property
    def local_recipe(self) -> Path:
        """Return the recipe with the archive's address."""
        return self.sandbox.folder / "recipe" / "recipe.yaml"

    @property
    def environments(self) -> dict[str, str]:
        """Return the Python of every environment, by the folder's name."""
        return {f"py{minor.replace('.', '')}": minor for minor in self.against.minors}

    def recipe_keeps_the_rules(self) -> str:
        """Hold the recipe to the rules of staged-recipes."""
        if problems := conda_forge_lint.lint(self.root):
            raise GateError("; ".join(map(str, problems)))
        return "no rule of staged-recipes is broken"

    def source_has_the_digest(self) -> str:
        """Compare the archive with the recipe, and write the recipe with the archive's address."""
        text, found = read_text(self.recipe), sha256_file(self.sdist)
        written = read_yaml(self.recipe)["source"]
        if written["sha256"] != found:
            raise GateError(
                f"the recipe has sha256 {written['sha256']}, {self.sdist.name} has {found}",
                hint="run: nox -s gen",
            )
        address = f"  url: {written['url']}\n"
        if text.count(address) != 1:
            raise GateError(f"{self.recipe}: no line holds the source address")
        local = text.replace(address, f"  url: {self.sdist.resolve().as_uri()}\n")
        shutil.copytree(self.recipe.parent, self.local_recipe.parent)
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

    def channel_is_there(self) -> str:
        """Take the channel that was asked for, or make one of stand-ins."""
        self.smoke.tools["patchelf"] = self.sandbox.add_patchelf()
        newer = self.standins.newer_pythons
        if self.asked is None:
            self.channel = make_channel(self.root, self.facts, self.standins, self.sandbox)
        else:
            self.channel = given_channel(*self.asked, newer, self.facts, self.sandbox)
        self.smoke.tools |= self.channel.described
        return f"Python {' and '.join(self.channel.minors)}"

    def plans_are_right(self) -> str:
        """Render the recipe for every platform and check what it would build there."""
        for target in (PLATFORM, *self.standins.platforms):
            variants = self.against.variants(self.against.minors[0])
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
        newer = self.against.minors[1]
        variants = self.sandbox.folder / "newer.yaml"
        write_text(variants, json.dumps(self.against.variants(newer)))  # JSON is YAML
        built = self.sandbox.ask(
            "skips",
            "skip",
            recipe=str(self.local_recipe),
            variant_file=str(variants),
            channels=[self.against.uri],
            out=str(self.sandbox.folder / "skipped"),
            platform=PLATFORM,
        )
        if built:
            raise GateError(f"built on {newer} too: {', '.join(built)}")
        return f"nothing is built on {newer}"

    def rattler_build_builds(self) -> str:
        """Build the package and look at what it holds."""
        built = self.sandbox.ask(
            "build",
            "build",
            recipe=str(self.local_recipe),
            variants=self.against.variants(self.against.minors[0]),
            channels=[self.against.uri],
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
                channels=[self.against.uri],
            )
            detail = ": ".join(filter(None, [done["why"], self.sandbox.see(log)]))
            self.smoke.add(f"package-{log}", done["passed"], detail)
        return f"{len(self.carried)} tests"

    def own_channel_holds_it(self) -> str:
        """Put the package, which has passed, into a channel that holds nothing else."""
        assert self.package is not None, "a stage before this one builds the package"
        whole = self.own_channel / PLATFORM / self.package.name
        whole.parent.mkdir(parents=True)
        # A copy that is cut short must not look like a package.
        part = whole.with_suffix(".part")
        shutil.copyfile(self.package, part)
        part.rename(whole)
        self.sandbox.ask("index", "index", channel=str(self.own_channel))
        return whole.name

    def installs_and_works(self) -> str:
        """Install it from the channels into new environments, and use it there."""
        for label, minor in self.environments.items():
            prefix = self.sandbox.folder / label
            records = self.sandbox.ask(
                "install",
                f"install-{label}",
                channels=[self.own_channel.as_uri(), self.against.uri],
                specs=[self.facts.release.name, f"python {minor}.*"],
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
