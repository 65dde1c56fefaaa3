# Language policy: EXEMPT from the Rust-path rule. Drives EasyBuild in a clean room.
"""The smoke session of the EasyBuild lane: build the easyconfig, load the module, use it."""

from __future__ import annotations

import argparse
import contextlib
import fcntl
import re
import shutil
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path
from typing import get_args

from rich.console import Console

from hpcgate import facts as facts_module
from hpcgate.cleanroom import EngineName, Room, open_room
from hpcgate.cleanroom.process import Result, quiet
from hpcgate.errors import GateError
from hpcgate.evidence import Outcome
from hpcgate.lanes import easybuild_bad_input as bad_input
from hpcgate.lanes.easybuild import FACTS, LOCK, EasyBuildFacts, EasyBuildLane
from hpcgate.lanes.easybuild_bad_input import BadInput
from hpcgate.lanes.easybuild_lint import path_of, read_easyconfig
from hpcgate.lanes.easybuild_log import explain, why
from hpcgate.lanes.easybuild_site import SITE, Site, prepare, site_facts
from hpcgate.lanes.easybuild_sources import fill_sources
from hpcgate.lanes.easybuild_stages import (
    CHECKOUT,
    ENVIRONMENT,
    LMOD,
    VERSIONS,
    Stage,
    eb_command,
    edges,
    stages,
    upstream_tests,
)
from hpcgate.repo import find_root, read_text, sha256_file, write_text
from hpcgate.smoke import Smoke, conclude, exit_status

__all__ = ["Options", "main", "run"]

CHECK = "smoke-easybuild"
LOGS = Path("build/logs") / CHECK
ROOMS = Path("build/rooms/easybuild")
SCRIPTS = Path("tests/smoke/easybuild")
SCRIPT_NAMES = ("upstream_tests.py", "use_module.py")
VECTORS = Path("tests/conformance")
# What follows one of these in its room needs the module.
INSTALLING = {"build", "second-build", "callers-variables"}


@dataclass(frozen=True, slots=True)
class Options:
    """What one run does.

    Attributes
    ----------
    generation : str
        Toolchain generation; by default the one of `packaging/easybuild/site.yaml`.
    engine : {"auto", "podman", "docker", "bwrap"}
        What runs the room.
    easyconfigs : Path or None
        A checkout of easybuild-easyconfigs, whose tests of a pull request then run too.
    edges : bool
        Try what EasyBuild has to refuse and what a site does less often, instead of the stages.
    keep : bool
        Leave the installation in `build/rooms/easybuild`.
    rehearse : bool
        Use a copy of the easyconfig with the digest of the archive at hand, and record nothing.
    """

    generation: str = ""
    engine: EngineName = "auto"
    easyconfigs: Path | None = None
    edges: bool = False
    keep: bool = False
    rehearse: bool = False


def run(root: Path, sdist: Path, options: Options) -> Outcome:
    """Build the easyconfig in a clean room, use its module, and write the evidence.

    Parameters
    ----------
    root : Path
        The checkout.
    sdist : Path
        The source archive that the easyconfig names.
    options : Options
        What the run does. Every generation but the default one, and the edges, have checks of
        their own.

    Returns
    -------
    {"pass", "fail", "unavailable"}
        Unavailable when no room, package index or stand-in site can be had here.

    Examples
    --------
    >>> run(find_root(), Path("dist/mars_earth-2.0.0.tar.gz"), Options())  # doctest: +SKIP
    'pass'
    """
    session = _Session(root, sdist, options)
    console = Console(stderr=True)
    smoke = Smoke()
    with _alone(root / ROOMS):
        shutil.rmtree(root / LOGS, ignore_errors=True)
        try:
            session.try_all(smoke, console)
        except GateError as error:
            smoke.unavailable = str(error)
    conclude(
        smoke,
        root,
        [sdist, session.easyconfig],
        session.check,
        title=session.easyconfig.name,
        command=session.command,
        recorded=not options.rehearse,
    )
    console.print(f"logs {LOGS}", highlight=False, markup=False)
    return smoke.outcome


class _Session:
    """Everything one run is about."""

    def __init__(self, root: Path, sdist: Path, options: Options) -> None:
        release = facts_module.load(root).release
        lane = facts_module.load_model(EasyBuildFacts, root, FACTS)
        default = site_facts(root).generation
        generation = options.generation or default
        if generation not in lane.generations:
            known = ", ".join(lane.generations)
            raise GateError(f"{FACTS}: no generation {generation!r}", hint=f"known: {known}")
        if sdist.name != release.sdist or not sdist.is_file():
            hint = "python -m hpcgate.sdist --sdist-only"
            raise GateError(f"{sdist}: not a source archive {release.sdist}", hint=hint)
        checkout = options.easyconfigs
        if checkout and not (checkout / "test/easyconfigs/easyconfigs.py").is_file():
            hint = "git clone https://github.com/easybuilders/easybuild-easyconfigs"
            raise GateError(f"{checkout}: not a checkout of easybuild-easyconfigs", hint=hint)
        self.root, self.sdist, self.options = root, sdist, options
        self.generation = generation
        self.check, self.command = _check(generation, default, options)
        version = str(release.version)
        relative = path_of(release.name, version, lane.toolchain, generation)
        self.easyconfig = root / relative
        toolchain = f"{lane.toolchain}-{generation}"
        self.eb = eb_command(release.name, version, toolchain)
        self.stages = stages(release.name, version, toolchain)
        if options.edges:
            other = f"{lane.toolchain},{list(lane.generations)[-1]}"
            self.stages = edges(release.name, version, toolchain, other, bad_input.FOLDER)
        if checkout:
            self.stages = (upstream_tests(release.name, relative), *self.stages)
        self.home = root
        if options.rehearse:
            self.home = _emptied(root / ROOMS / "rehearsal")
            for path in (root / "easybuild").rglob("*.*"):
                text = read_text(path).replace(release.sha256, sha256_file(sdist))
                write_text(self.home / path.relative_to(root), text)
            self.easyconfig = self.home / relative

    def try_all(self, smoke: Smoke, console: Console) -> None:
        """Prepare what needs the network, then run the stages without it."""
        rooms = self.root / ROOMS
        name = self.easyconfig.name
        began = time.perf_counter()
        EasyBuildLane().render(facts_module.load(self.root), self.root)
        smoke.measurements["regenerate_seconds"] = round(time.perf_counter() - began, 3)
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
                self.generation,
                rooms / f"site-{self.generation}",
                self.root / LOGS,
                engine=self.options.engine,
                say=lambda text: status.update(f"{text} (minutes the first time)"),
            )
            smoke.measurements["site_seconds"] = site.seconds
            bad = _emptied(rooms / "bad")
            if self.options.edges:
                bad_input.lay_out(config, sources, bad)
            with self._room(site, sources, bad) as room:
                smoke.tools |= {"engine": room.engine, "image": room.image}
                smoke.tools |= {"site": "stand-in modules with upstream's names"}
                self._versions(smoke, room)
                if self.options.edges:
                    self._refusals(smoke, room, bad_input.bad_inputs(self.eb, config))
                with self._room(site, sources, bad, "prefix-aside") as aside:
                    self._stages(smoke, room, aside, status.update)

    @contextlib.contextmanager
    def _room(
        self, site: Site, sources: Path, bad: Path, installed: str = "prefix"
    ) -> Iterator[Room]:
        prefix = _emptied(self.root / ROOMS / installed)
        (self.root / LOGS / "eb").mkdir(parents=True, exist_ok=True)
        mounts = {
            site.folder: SITE,
            sources: ENVIRONMENT["SOURCES"],
            bad: bad_input.FOLDER,
            self.home / "easybuild": "/mnt/mars/easybuild",
            self.root / VECTORS: "/mnt/conformance",
        }
        mounts |= {self.root / SCRIPTS / name: f"/mnt/{name}" for name in SCRIPT_NAMES}
        if self.options.easyconfigs:
            mounts[self.options.easyconfigs] = CHECKOUT
        opened = open_room(
            site_facts(self.root).image(self.generation),
            self.root,
            engine=self.options.engine,
            mounts=mounts,
            writable={
                prefix: ENVIRONMENT["EASYBUILD_PREFIX"],
                self.root / LOGS / "eb": ENVIRONMENT["EASYBUILD_TMPDIR"],
            },
            environment=ENVIRONMENT,
        )
        try:
            with opened as room:
                yield room
        finally:
            if not self.options.keep:
                shutil.rmtree(prefix, ignore_errors=True)

    def _versions(self, smoke: Smoke, room: Room) -> None:
        """Take in what the room and the stand-in site offer."""
        if not room.run(["test", "-r", LMOD]).ok:
            raise GateError(f"{room.image}: the clean root has no Lmod", hint="add lmod to it")
        done = self._do(room, "versions", VERSIONS)
        if not done.ok:
            raise GateError(f"the stand-in site does not work: {why(done)}", hint=f"see {LOGS}")
        smoke.tools |= dict(line.split(maxsplit=1) for line in done.stdout.splitlines())
        if checkout := self.options.easyconfigs:
            commit = quiet(["git", "-C", str(checkout), "rev-parse", "HEAD"]).stdout.strip()
            smoke.tools["upstream-tests"] = commit or "a checkout without git"
        elif not self.options.edges:
            smoke.tools["upstream-tests"] = "unavailable: no --easyconfigs was given"

    def _stages(self, smoke: Smoke, room: Room, aside: Room, say: Callable[[str], None]) -> None:
        """Run the stages of both rooms at the same time, then judge them in order."""
        rows = [[stage for stage in self.stages if stage.aside == other] for other in (False, True)]
        with ThreadPoolExecutor() as pool:
            beside = pool.submit(self._row, aside, rows[True], say)
            done = self._row(room, rows[False], say) | beside.result()
        for stage in self.stages:
            if (result := done.get(stage.name)) is None:
                continue
            smoke.measurements[f"{stage.name.replace('-', '_')}_seconds"] = result.seconds
            if stage.reports:
                see = f"see {LOGS}/{stage.name}.log"
                smoke.take_in(
                    stage.name, result, silent=f"no report: {why(result)}; {see}", see=see
                )
                continue
            said = stage.shows if result.ok else self._explain(stage.name, result)
            smoke.add(stage.name, result.ok, said)

    def _row(
        self, room: Room, stages: Sequence[Stage], say: Callable[[str], None]
    ) -> dict[str, Result]:
        done = {}
        for stage in stages:
            say(f"{stage.name}: {stage.shows}")
            done[stage.name] = self._do(room, stage.name, stage.commands)
            if stage.name in INSTALLING and not done[stage.name].ok:
                break
        return done

    def _refusals(self, smoke: Smoke, room: Room, cases: Sequence[BadInput]) -> None:
        """Try what EasyBuild has to refuse, beside an installation that has to stay as it is."""
        prefix = self.root / ROOMS / "prefix"
        write_text(prefix / "software/neighbour/1.0/kept", "kept\n")
        write_text(prefix / "modules/all/neighbour/1.0.lua", "-- kept\n")
        before = bad_input.state(prefix)
        root = room.run("test $(id -u) = 0").ok
        for case in cases:
            if case.root and not root:
                smoke.tools[case.name] = "not tried: the user of the room is not root"
                continue
            done = self._do(room, case.name, case.commands)
            said = self._explain(case.name, done)
            problems = [
                *(["it was not refused"] if done.ok else []),
                *([] if re.search(case.says, said) else [f"it does not say {case.says}"]),
                *([] if bad_input.state(prefix) == before else ["the site has changed"]),
            ]
            smoke.add(case.name, not problems, ", ".join([*problems, said]))

    def _do(self, room: Room, name: str, commands: str) -> Result:
        preamble = f"set -e; PATH={SITE}/bin:$PATH; . {LMOD}; module use {SITE}/modules"
        done = room.run(["bash", "-c", f"{preamble}; cd /mnt/mars\n{commands}"])
        # EasyBuild colours its errors wherever they go.
        done = replace(done, stderr=re.sub(r"\x1b\[[0-9;]*m", "", done.stderr))
        text = f"$ {commands}\nexit {done.returncode}, {done.seconds} s\n{done.stdout}{done.stderr}"
        write_text(self.root / LOGS / f"{name}.log", text)
        return done

    def _explain(self, name: str, done: Result) -> str:
        where = ENVIRONMENT["EASYBUILD_TMPDIR"]
        said = explain(done, self.root / LOGS / f"{name}.log", where, self.root / LOGS / "eb")
        return said.replace(f"{self.root}/", "")


def _check(generation: str, default: str, options: Options) -> tuple[str, str]:
    """Return the check that a run records, and the command that repeats it."""
    if options.edges:
        if generation != default:
            raise GateError(f"--edges is tried with generation {default} only")
        return "easybuild-edges", f"nox -s {CHECK} -- --edges"
    if generation != default:
        name = f"easybuild-{generation.replace('.', '-')}"
        return name, f"nox -s {CHECK} -- --generation {generation}"
    return CHECK, f"nox -s {CHECK}"


def _emptied(folder: Path) -> Path:
    """Return a folder that is there and empty."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    return folder


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
    parser.add_argument(
        "--easyconfigs",
        type=Path,
        help="a checkout of easybuild-easyconfigs, to run its tests of a pull request",
    )
    parser.add_argument(
        "--edges",
        action="store_true",
        help="try bad input and what a site does less often, instead of the stages",
    )
    parser.add_argument("--keep", action="store_true", help="leave the installation in build/rooms")
    parser.add_argument(
        "--rehearse",
        action="store_true",
        help="use a copy of the easyconfig with the digest of the sdist, and record nothing",
    )
    given = vars(parser.parse_args(arguments))
    root = find_root()
    sdist = given.pop("sdist") or root / "dist" / facts_module.load(root).release.sdist
    return 0 if run(root, sdist.resolve(), Options(**given)) == "pass" else 1


if __name__ == "__main__":
    sys.exit(exit_status(CHECK, main))
