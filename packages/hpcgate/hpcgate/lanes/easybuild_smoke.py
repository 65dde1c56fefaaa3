# Language policy: EXEMPT from the Rust-path rule. Drives EasyBuild in a clean room.
"""The smoke session of the EasyBuild lane: build the easyconfig, load the module, use it."""

from __future__ import annotations

import argparse
import contextlib
import fcntl
import re
import shutil
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import get_args

from rich.console import Console

from hpcgate import facts as facts_module
from hpcgate.cleanroom import EngineName, Room, open_room
from hpcgate.cleanroom.process import Result
from hpcgate.errors import GateError
from hpcgate.evidence import Outcome
from hpcgate.lanes.easybuild import FACTS, LOCK, EasyBuildFacts
from hpcgate.lanes.easybuild_lint import path_of, read_easyconfig
from hpcgate.lanes.easybuild_site import SITE, Site, fill_sources, prepare, site_facts
from hpcgate.repo import find_root, read_text, sha256_file, write_text
from hpcgate.smoke import Smoke, conclude, exit_status

__all__ = ["Stage", "main", "run", "stages", "why"]

CHECK = "smoke-easybuild"
LOGS = Path("build/logs") / CHECK
ROOMS = Path("build/rooms/easybuild")
SCRIPT = Path("tests/smoke/easybuild/use_module.py")
VECTORS = Path("tests/conformance")

_LMOD = "/usr/share/lmod/lmod/init/bash"
# The commands of the stages use these names; docs/install-easybuild.md sets them the same way.
_ENVIRONMENT = {
    "EASYBUILD_PREFIX": "/mnt/prefix",
    "EASYBUILD_TMPDIR": "/mnt/logs",
    "EASYBUILD_ALLOW_USE_AS_ROOT_AND_ACCEPT_CONSEQUENCES": "1",
    # A room may know no user but root; whoever packed a crate cannot own its files there.
    "TAR_OPTIONS": "--no-same-owner",
    "EB_PYTHON": f"{SITE}/easybuild/bin/python",
    "SOURCES": "/mnt/sources",
    # Without a limit the linear algebra reserves address space for every core of a large machine.
    "OPENBLAS_NUM_THREADS": "2",
}
_VERSIONS = """\
echo lmod $LMOD_VERSION
echo easybuild $(eb --version | sed 's/.*framework: \\([^,]*\\).*/\\1/')
module load Rust maturin
echo gcc $(gcc -dumpfullversion)
echo binutils $(ld --version | sed -n '1s/.* //p')
echo rust $(rustc --version | cut -d' ' -f2)
echo maturin $(maturin --version | cut -d' ' -f2)
"""


@dataclass(frozen=True, slots=True)
class Stage:
    """One step of the session: commands as a site types them, and what its success says."""

    name: str
    commands: str
    shows: str


def stages(name: str, version: str, toolchain: str) -> tuple[Stage, ...]:
    """Return the stages that follow the stand-in site and its sources, in order.

    Examples
    --------
    >>> stages("mars-earth", "2.0.0", "gfbf-2025b")[0].commands
    'eb mars-earth-2.0.0-gfbf-2025b.eb --robot-paths=$PWD/easybuild/easyconfigs: --check-contrib'
    """
    eb = f"eb {name}-{version}-{toolchain}.eb --robot-paths=$PWD/easybuild/easyconfigs:"
    module = f"{name}/{version}-{toolchain}"
    load = f"module use $EASYBUILD_PREFIX/modules/all\nmodule load {module}"
    script = "python -s /mnt/use_module.py /mnt/conformance"
    seen = "env | grep -Ev '^(_|__LMOD_.*|_ModuleTable.*|LMOD_.*|BASH_.*)=' | sort"
    clean = f"{load.splitlines()[0]}\n{seen} > /tmp/before\n{load.splitlines()[1]}\n"
    clean += f"module unload {module}\n{seen} > /tmp/after\ndiff /tmp/before /tmp/after"
    log = f"$EASYBUILD_PREFIX/software/{module}/easybuild/easybuild-*.log"
    return (
        Stage("check-contrib", f"{eb} --check-contrib", "upstream's rules"),
        Stage("check-style", f"{eb} --check-style", "upstream's style"),
        Stage("fetch", f"{eb} --sourcepath=$SOURCES --fetch", "every source, without network"),
        Stage("build", f"{eb} --sourcepath=$SOURCES --optarch=GENERIC", "without network"),
        Stage(
            "generic",
            f"grep -qE -e '-C target-cpu=(x86-64|generic) ' {log}\n"
            f"! grep -q target-cpu=native {log}",
            "no code for one processor alone",
        ),
        Stage("use", f"{load}\nmars-earth --version\n{script}", "a user's steps"),
        Stage("unload", clean, "the environment is as before the load"),
        Stage("sanity-check", f"{eb} --sanity-check-only", "the installation, once more"),
    )


def run(
    root: Path,
    sdist: Path,
    *,
    generation: str = "",
    engine: EngineName = "auto",
    keep: bool = False,
    rehearse: bool = False,
) -> Outcome:
    """Build the easyconfig in a clean room, use its module, and write the evidence.

    Parameters
    ----------
    root : Path
        The checkout.
    sdist : Path
        The source archive that the easyconfig names.
    generation : str, default the one of `packaging/easybuild/site.yaml`
        Toolchain generation. Only the default one is recorded.
    engine : {"auto", "podman", "docker", "bwrap"}
        What runs the room.
    keep : bool, default False
        Leave the installation in `build/rooms/easybuild`.
    rehearse : bool, default False
        Use a copy of the easyconfig with the digest of this archive, and record nothing.

    Returns
    -------
    {"pass", "fail", "unavailable"}
        Unavailable when no room, package index or stand-in site can be had here.

    Examples
    --------
    >>> run(find_root(), Path("dist/mars_earth-2.0.0.tar.gz"))  # doctest: +SKIP
    'pass'
    """
    session = _Session(root, sdist, generation, engine, rehearse)
    console = Console(stderr=True)
    smoke = Smoke()
    with _alone(root / ROOMS):
        shutil.rmtree(root / LOGS, ignore_errors=True)
        try:
            session.try_all(smoke, console, keep=keep)
        except GateError as error:
            smoke.unavailable = str(error)
    conclude(
        smoke,
        root,
        [sdist, session.easyconfig],
        CHECK,
        title=session.easyconfig.name,
        recorded=session.recorded,
    )
    console.print(f"logs {LOGS}", highlight=False, markup=False)
    return smoke.outcome


class _Session:
    """Everything one run is about."""

    def __init__(
        self, root: Path, sdist: Path, generation: str, engine: EngineName, rehearse: bool
    ) -> None:
        release = facts_module.load(root).release
        lane = facts_module.load_model(EasyBuildFacts, root, FACTS)
        default = site_facts(root).generation
        self.generation = generation or default
        if self.generation not in lane.generations:
            known = ", ".join(lane.generations)
            raise GateError(f"{FACTS}: no generation {self.generation!r}", hint=f"known: {known}")
        if sdist.name != release.sdist or not sdist.is_file():
            hint = "python -m hpcgate.sdist --sdist-only"
            raise GateError(f"{sdist}: not a source archive {release.sdist}", hint=hint)
        self.root, self.sdist, self.engine, self.rehearse = root, sdist, engine, rehearse
        self.recorded = self.generation == default and not rehearse
        version = str(release.version)
        relative = path_of(release.name, version, lane.toolchain, self.generation)
        self.easyconfig = root / relative
        self.stages = stages(release.name, version, f"{lane.toolchain}-{self.generation}")
        self.home = root
        if rehearse:
            self.home = root / ROOMS / "rehearsal"
            text = read_text(self.easyconfig).replace(release.sha256, sha256_file(sdist))
            self.easyconfig = self.home / relative
            write_text(self.easyconfig, text)

    def try_all(self, smoke: Smoke, console: Console, *, keep: bool) -> None:
        """Prepare what needs the network, then run the stages without it."""
        rooms = self.root / ROOMS
        logs = self.root / LOGS
        name = self.easyconfig.name
        with console.status("stand-in site") as status:
            config = read_easyconfig(name, read_text(self.easyconfig))
            sources = rooms / f"sources-{self.generation}"
            status.update("sources from cargo's cache")
            problems = fill_sources(config, self.sdist, self.root / Path(LOCK).parent, sources)
            detail = "; ".join(problems) or f"{len(config.values['crates'])} crates and the sdist"
            smoke.add("sources-have-their-digests", not problems, detail)
            if problems:
                return
            site = prepare(
                self.root,
                self.easyconfig,
                rooms / f"site-{self.generation}",
                logs,
                engine=self.engine,
                say=lambda text: status.update(f"{text} (minutes the first time)"),
            )
            smoke.measurements["site_seconds"] = site.seconds
            with self._room(site, sources, rooms / "prefix", keep=keep) as room:
                smoke.tools |= {"engine": room.engine, "image": room.image}
                smoke.tools |= {"site": "stand-in modules with upstream's names"}
                self._stages(smoke, room, status.update)

    @contextlib.contextmanager
    def _room(self, site: Site, sources: Path, prefix: Path, *, keep: bool) -> Iterator[Room]:
        shutil.rmtree(prefix, ignore_errors=True)
        logs = self.root / LOGS / "eb"
        for folder in (prefix, logs):
            folder.mkdir(parents=True)
        opened = open_room(
            site_facts(self.root).image,
            self.root,
            engine=self.engine,
            mounts={
                site.folder: SITE,
                sources: _ENVIRONMENT["SOURCES"],
                self.home / "easybuild": "/mnt/mars/easybuild",
                self.root / SCRIPT: "/mnt/use_module.py",
                self.root / VECTORS: "/mnt/conformance",
            },
            writable={
                prefix: _ENVIRONMENT["EASYBUILD_PREFIX"],
                logs: _ENVIRONMENT["EASYBUILD_TMPDIR"],
            },
            environment=_ENVIRONMENT,
        )
        try:
            with opened as room:
                yield room
        finally:
            if not keep:
                shutil.rmtree(prefix, ignore_errors=True)

    def _stages(self, smoke: Smoke, room: Room, say: Callable[[str], None]) -> None:
        if not room.run(["test", "-r", _LMOD]).ok:
            raise GateError(f"{room.image}: the clean root has no Lmod", hint="add lmod to it")
        done = self._do(room, "versions", _VERSIONS)
        if not done.ok:
            raise GateError(f"the stand-in site does not work: {why(done)}", hint=f"see {LOGS}")
        smoke.tools |= dict(line.split(maxsplit=1) for line in done.stdout.splitlines())
        for stage in self.stages:
            say(f"{stage.name}: {stage.shows}")
            done = self._do(room, stage.name, stage.commands)
            smoke.measurements[f"{stage.name.replace('-', '_')}_seconds"] = done.seconds
            if stage.name == "use":
                see = f"see {LOGS}/{stage.name}.log"
                smoke.take_in("use", done, silent=f"no report: {why(done)}; {see}", see=see)
                continue
            smoke.add(stage.name, done.ok, stage.shows if done.ok else self._explain(stage, done))
            if stage.name == "build" and not done.ok:
                return  # there is no module to use

    def _do(self, room: Room, name: str, commands: str) -> Result:
        preamble = f"set -e; PATH={SITE}/bin:$PATH; . {_LMOD}; module use {SITE}/modules"
        done = room.run(["bash", "-c", f"{preamble}; cd /mnt/mars\n{commands}"])
        # EasyBuild colours its errors wherever they go.
        done = replace(done, stderr=re.sub(r"\x1b\[[0-9;]*m", "", done.stderr))
        text = f"$ {commands}\nexit {done.returncode}, {done.seconds} s\n{done.stdout}{done.stderr}"
        write_text(self.root / LOGS / f"{name}.log", text)
        return done

    def _explain(self, stage: Stage, done: Result) -> str:
        """Say why a stage failed: in EasyBuild's words, then in those of the command it ran."""
        log = LOGS / f"{stage.name}.log"
        said = why(done)
        if found := re.search(r"output \(stdout \+ stderr\)\s+->\s+(\S+)", done.stderr):
            inner = Path(found[1]).relative_to(_ENVIRONMENT["EASYBUILD_TMPDIR"])
            output = self.root / LOGS / "eb" / inner
            if output.is_file():
                log = output.relative_to(self.root)
                # The first is the compiler's; pip and cargo repeat in their words that it failed.
                pattern = r"^\s*(error(?:\[E\d+\])?: (?!subprocess-exited).+)$"
                errors = re.findall(pattern, read_text(output), re.MULTILINE)
                said = f"{said}: {errors[0]}" if errors else said
        return f"{said}; see {log}"


def why(done: Result) -> str:
    """Return the one sentence in which EasyBuild says why it failed.

    Examples
    --------
    >>> why(Result(1, "== FAILED: Installation ended unsuccessfully: no gcc (took 2 secs)", "", 2))
    'no gcc'
    """
    text = done.stdout + done.stderr
    for pattern in (
        r"^== FAILED: Installation ended unsuccessfully: (.+?)(?: \(took .*)?$",
        r"^ERROR: (.+)$",
        r"^(?:Lmod has detected the following error:)\s+(.+)$",
    ):
        if found := re.search(pattern, text, re.MULTILINE):
            return found[1].strip()
    return done.why


@contextlib.contextmanager
def _alone(folder: Path) -> Iterator[None]:
    """Wait until no other session of this lane runs in the checkout."""
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the session from the command line; anything but a pass is exit status 1."""
    parser = argparse.ArgumentParser(
        prog="python -m hpcgate.lanes.easybuild_smoke", description=__doc__
    )
    parser.add_argument("--generation", default="", help="toolchain generation, such as 2025b")
    parser.add_argument("--engine", choices=get_args(EngineName), default="auto")
    parser.add_argument("--sdist", type=Path, help="the source archive in dist/ by default")
    parser.add_argument("--keep", action="store_true", help="leave the installation in build/rooms")
    parser.add_argument(
        "--rehearse",
        action="store_true",
        help="use a copy of the easyconfig with the digest of the sdist, and record nothing",
    )
    options = parser.parse_args(arguments)
    root = find_root()
    sdist = options.sdist or root / "dist" / facts_module.load(root).release.sdist
    outcome = run(
        root,
        sdist.resolve(),
        generation=options.generation,
        engine=options.engine,
        keep=options.keep,
        rehearse=options.rehearse,
    )
    return 0 if outcome == "pass" else 1


if __name__ == "__main__":
    sys.exit(exit_status(CHECK, main))
