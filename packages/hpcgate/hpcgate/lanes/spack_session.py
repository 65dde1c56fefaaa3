# Language policy: EXEMPT from the Rust-path rule. Runs commands and keeps logs; no computation.
"""One run of the Spack smoke: its commands, each with a log, a time and a judgement."""

from __future__ import annotations

import re
import shutil
import textwrap
from dataclasses import dataclass
from pathlib import Path

from rich.status import Status

from hpcgate.cleanroom.process import Result
from hpcgate.errors import GateError
from hpcgate.facts import Facts
from hpcgate.lanes.spack_host import Places, Room
from hpcgate.repo import write_text
from hpcgate.smoke import Smoke

__all__ = ["COMMANDS", "ENVIRONMENT", "LOGS", "MODULES", "Session", "StageFailed"]

LOGS = Path("build/logs/smoke-spack")
MODULES = "/etc/profile.d/modules.sh"

# What docs/install-spack.md has its reader type; a test compares the two.
COMMANDS = {
    "repository": "spack repo add --name mars $MARS_REPOSITORY",
    "info": "spack info py-mars-earth",
    "audit": (
        "spack audit packages mars-earth py-mars-earth\nspack audit configs\nspack audit externals"
    ),
    "concretize": "spack spec --fresh mars-earth@{version}",
    "install": "spack install --fresh mars-earth@{version}",
    "test": (
        "spack test run --alias mars mars-earth@{version} py-mars-earth@{version}\n"
        "spack test results -l mars"
    ),
    "load": "spack load mars-earth@{version}",
    "module": (
        "spack module tcl refresh -y\n"
        ". $SPACK_ROOT/share/spack/setup-env.sh\n"
        "module load $(spack module tcl find py-mars-earth@{version})\n"
        "mars-earth --version"
    ),
    "environment": (
        "spack -e $ENVIRONMENT install\n"
        "spack env activate $ENVIRONMENT\n"
        "mars-earth --version\n"
        "spack env deactivate"
    ),
    "mirror": (
        "spack mirror create --fresh -d $MIRROR --dependencies mars-earth@{version}\n"
        "spack mirror add --type source site file://$MIRROR"
    ),
    "variants": (
        "spack install --fresh mars-earth@{version}+arrow+plots\n"
        "spack load mars-earth@{version}+arrow+plots\n"
        "mars-earth doctor"
    ),
    "cache": (
        "spack buildcache push --unsigned $CACHE mars-earth@{version}\n"
        "spack uninstall -y --dependents py-mars-earth@{version}\n"
        "spack mirror add --type binary --unsigned cache $CACHE\n"
        "spack install --fresh --cache-only mars-earth@{version}\n"
        "spack load mars-earth@{version}\n"
        "mars-earth --version"
    ),
    "uninstall": "spack uninstall -y --all --dependents py-mars-earth@{version}",
}


# The file that the guide shows.
ENVIRONMENT = """\
spack:
  specs:
  - mars-earth@{version}
  view: true
  concretizer:
    reuse: false
"""


class StageFailed(Exception):
    """End the session: a stage failed, which the smoke holds already."""


@dataclass(slots=True)
class Session:
    """One run: the room, the site in it, and what it has shown so far."""

    root: Path
    facts: Facts
    smoke: Smoke
    room: Room
    places: Places
    status: Status
    logs: Path = LOGS

    def say(self, name: str, script: str, *, network: bool = False) -> Result:
        """Run a script and keep its log and its time, whatever comes of it."""
        self.status.update(name)
        done = self.room.run(["bash", "-ec", script], network=None if network else False)
        said = f"$ {script}\n\n{done.stdout}\n{done.stderr}\nexit {done.returncode}\n"
        write_text(self.root / self.logs / f"{name}.log", said)
        self.smoke.measurements[f"{name.replace('-', '_')}_seconds"] = done.seconds
        return done

    def prepare(self, name: str, script: str, *, network: bool = False) -> str:
        """Run a step that judges nothing of ours; where it fails, there is no smoke."""
        done = self.say(name, script, network=network)
        if not done.ok:
            raise GateError(f"{name}: {_why(done)}", hint=f"see {self.logs / name}.log")
        return done.stdout

    def stage(self, name: str, *, before: str = "", after: str = "") -> str:
        """Run one stage of COMMANDS in a shell of its own, without a network."""
        version = str(self.facts.release.version)
        lines = [
            # What a login shell of a site with modules has.
            f"[ ! -e {MODULES} ] || . {MODULES}",
            before,
            ". $WORK/spack/share/spack/setup-env.sh",
            COMMANDS[name].replace("{version}", version),
            after,
        ]
        done = self.say(name, "\n".join(line for line in lines if line))
        why = "" if done.ok else "; ".join([_why(done), *self._keep_build_logs()])
        self.judge(name, done.ok, why, name)
        return done.stdout

    def judge(self, name: str, passed: bool, detail: str, stage: str) -> None:
        """Add a test. A failure names the log of its stage and ends the session."""
        self.smoke.add(
            name, passed, detail if passed else f"{detail} (see {self.logs / stage}.log)"
        )
        if not passed:
            raise StageFailed

    def prefixes(self) -> list[str]:
        """Name the prefixes of our packages in the install tree."""
        return sorted(path.name for path in (self.room.work / "opt").glob("*/*mars-earth-*"))

    def _keep_build_logs(self) -> list[str]:
        """Copy the logs of failed builds out of the room, and say where they are."""
        kept = []
        for log in sorted(self.room.work.glob("stage/**/spack-build-out.txt")):
            package = log.parent.name.removeprefix("spack-stage-")
            target = self.logs / f"build-{package}.log"
            shutil.copy(log, self.root / target)
            kept.append(f"build log {target}")
        return kept


def _why(done: Result) -> str:
    """Return the first error that Spack names, or else the last line."""
    found = re.search(r"^(?:==> )?(?:Error|ERROR): (.*(?:\n {2,}\S.*)*)", done.stderr, re.MULTILINE)
    # A wrong checksum comes with the first bytes of the file.
    return textwrap.shorten(found[1], 200) if found else done.why
